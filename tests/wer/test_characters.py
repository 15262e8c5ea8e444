"""Errors in characters: what a character is, and the files of Kaldi and ESPnet."""

import shutil
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorescore.errors import InputError
from lorescore.files import read_yaml
from lorescore.wer import (
    CER,
    EditCounts,
    align,
    edit_counts,
    score_hypotheses,
    split_units,
    wer_line,
    write_score_cer,
    write_score_wer,
)
from lorescore.wer.ctm import CtmWord, read_ctm, write_ctm
from lorescore.wer.distances import count_words
from lorescore.wer.sclite_characters import character_ctm
from lorescore.wer.units import espnet_characters, first_decomposed, require_metric

needs_sclite = pytest.mark.skipif(
    not (shutil.which("sclite") or shutil.which("sctk")), reason="sclite is missing: apt-get install sctk"
)

REFS = {"a-1": "今天天气很好", "a-2": "東京タワーへ行く", "b-1": "我要一个iPhone"}
HYPS = {"a-1": "今天天汽很好", "a-2": "東京タワへ行く", "b-1": "我要一一个iphone"}
# Han, Kana, a mark that is written apart, full-width and ASCII forms, everything that means something to sclite.
CHARACTERS = "今天気がか\u3099ー。、；＊＠Ａ" + string.ascii_letters[:4] + string.punctuation
texts = st.text(CHARACTERS, max_size=12)


@pytest.mark.parametrize(
    ("text", "characters"),
    [
        ("", []),
        ("今天 天气", ["今", "天", "天", "气"]),
        ("東京　タワー", ["東", "京", "タ", "ワ", "ー"]),  # an ideographic space
        ("我 love 你", ["我", "l", "o", "v", "e", "你"]),
        ("ＯＫ ok", ["Ｏ", "Ｋ", "o", "k"]),
        ("か\u3099 が", ["か", "\u3099", "が"]),
        ("𠮷野家", ["𠮷", "野", "家"]),  # outside the basic plane: one code point
        ("<unk> 好 [noise] !SIL", ["<unk>", "好", "[noise]", "!SIL"]),
        ("好<unk>的[noise]", ["好", "<unk>", "的", "[noise]"]),
        ("1<2 a>b []", ["1", "<", "2", "a", ">", "b", "[", "]"]),
    ],
)
def test_what_a_character_is(text: str, characters: list[str]) -> None:
    assert split_units(text, CER) == characters


@given(st.lists(st.text("今天ab ，", max_size=8), min_size=1, max_size=4))
def test_segmentation_changes_nothing(words: list[str]) -> None:
    assert split_units(" ".join(words), CER) == split_units("".join(words), CER)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
def test_espnet_characters_are_espnets(text: str) -> None:
    tokenizer = pytest.importorskip("espnet2.text.char_tokenizer").CharTokenizer()
    assert espnet_characters(text) == tokenizer.text2tokens(" ".join(text.split()))


@pytest.mark.parametrize(
    ("ref", "hyp", "counts"),
    [
        ("今天天气很好", "今天天汽很好", EditCounts(0, 0, 1, 6)),
        ("今天天气", "今 天 天 气 呢", EditCounts(1, 0, 0, 4)),
        ("東京タワー", "東京タワ", EditCounts(0, 1, 0, 5)),
        ("が", "か\u3099", EditCounts(1, 0, 1, 1)),  # NFC against NFD
        ("１", "1", EditCounts(0, 0, 1, 1)),
        ("", "啊", EditCounts(1, 0, 0, 0)),
    ],
)
def test_errors_of_characters(ref: str, hyp: str, counts: EditCounts) -> None:
    assert edit_counts(ref, hyp, CER) == counts
    assert sum(one != other for one, other in align(ref, hyp, CER)) == counts.errors


@given(st.lists(st.tuples(texts, st.lists(texts, min_size=1, max_size=3)), min_size=1, max_size=4))
def test_many_lists_at_a_time_have_the_same_errors(lists: list[tuple[str, list[str]]]) -> None:
    counts = count_words([hyps for _, hyps in lists], [ref for ref, _ in lists], CER)
    one_by_one = [edit_counts(ref, hyp, CER) for ref, hyps in lists for hyp in hyps]
    assert counts.errors.tolist() == [one.errors for one in one_by_one]
    assert counts.ref_words.tolist() == [len(split_units(ref, CER)) for ref, _ in lists]
    assert counts.hyp_words.tolist() == [len(split_units(hyp, CER)) for _, hyps in lists for hyp in hyps]


@needs_sclite
def test_sclite_sees_every_character_as_it_is(tmp_path: Path) -> None:
    refs = {f"u-{ord(char):05d}": f"好{char}好" for char in dict.fromkeys(CHARACTERS + string.printable.strip())}
    counts = write_score_cer(tmp_path, refs, refs, dict.fromkeys(refs, "s"))
    assert counts == EditCounts(ref_words=3 * len(refs))


@needs_sclite
def test_sclite_tells_full_width_from_ascii(tmp_path: Path) -> None:
    refs = {f"u-{ord(char)}": f"好{char}" for char in string.punctuation}
    wide = {utt: text[0] + chr(ord(text[1]) + 0xFEE0) for utt, text in refs.items()}
    counts = write_score_cer(tmp_path, refs, wide, dict.fromkeys(refs, "s"))
    assert counts == EditCounts(sub=len(refs), ref_words=2 * len(refs))


@needs_sclite
@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=12))
def test_sclite_agrees_where_its_weights_cannot_matter(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    refs = {f"u-{index:02d}": ref for index, (ref, _) in enumerate(pairs)}
    hyps = {f"u-{index:02d}": hyp for index, (_, hyp) in enumerate(pairs)}
    folder = tmp_path_factory.mktemp("sclite")
    counts = write_score_cer(folder, refs, hyps, dict.fromkeys(refs, "s"))
    # Of ESPnet's tokens, which take <a> apart; two errors cost sclite less than three of any kind.
    errors = [edit_counts(" ".join(ref), " ".join(hyp)).errors for ref, hyp in pairs]
    assert counts.ref_words == sum(len(ref) for ref, _ in pairs)
    assert counts.errors >= sum(errors)
    if max(errors) <= 2:
        assert counts.errors == sum(errors)


@needs_sclite
def test_a_space_counts_for_espnet_and_not_for_kaldi(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    result = score_hypotheses({"u": "今天 天气"}, {"u": "今天天气"}, None, tmp_path, 0.0, 0.0, metric=CER)
    assert (result.counts, result.sclite_counts) == (EditCounts(ref_words=4), EditCounts(del_=1, ref_words=5))
    assert (tmp_path / "score_cer" / "ref.trn").read_text() == "今 天 <space> 天 气\t(u-u)\n"
    assert "sclite counts 1 errors (CER 20.00), Levenshtein 0 (CER 0.00)" in caplog.text


@needs_sclite
def test_files_of_both(tmp_path: Path) -> None:
    for stale in (
        "score_wer/result.txt",
        "scoring_kaldi/wer_1_0",
        "scoring_kaldi/best_wer",
        "scoring_kaldi/wer_details/ops",
        "scoring_kaldi/utt2spk",
    ):
        path = tmp_path / stale
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("of other hypotheses\n")
    result = score_hypotheses(REFS, HYPS, None, tmp_path, 0.5, -0.25, baseline_hyps=REFS, metric=CER)
    # 气/汽; ー is missing; 一 for the second time, P/p.
    assert result.counts == result.sclite_counts == EditCounts(ins=1, del_=1, sub=2, ref_words=24)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == [
        "result.yaml",
        "score_cer/hyp.trn",
        "score_cer/ref.trn",
        "score_cer/result.txt",
        "scoring_kaldi/best_cer",
        "scoring_kaldi/cer_0.5_-0.25",
        "scoring_kaldi/cer_details/cer_bootci",
        "scoring_kaldi/cer_details/ops",
        "scoring_kaldi/cer_details/per_spk",
        "scoring_kaldi/cer_details/per_utt",
        "scoring_kaldi/utt2spk",
    ]
    lines = (tmp_path / "scoring_kaldi" / "cer_0.5_-0.25").read_text().splitlines()
    assert lines[:2] == ["%WER 16.67 [ 4 / 24, 1 ins, 1 del, 2 sub ]", "%SER 100.00 [ 3 / 3 ]"]
    assert lines[0] == wer_line(result.counts)
    assert (
        "a-1 hyp  今  天  天  汽  很  好\na-1 op   C  C  C  S  C  C\na-1 #csid 5 1 0 0\n"
        in (tmp_path / "scoring_kaldi" / "cer_details" / "per_utt").read_text()
    )
    assert "今 天 天 汽 很 好\t(a-a-1)\n" in (tmp_path / "score_cer" / "hyp.trn").read_text()
    # As ESPnet's show_asr_result.sh looks for it.
    report = (tmp_path / "score_cer" / "result.txt").read_text()
    average = next(line for line in report.splitlines() if "Sum/Avg" in line)
    assert average.replace("|", " ").split() == ["Sum/Avg", "3", "24", "87.5", "8.3", "4.2", "4.2", "16.7", "100.0"]
    summary = read_yaml(tmp_path / "result.yaml")
    expected = {"metric": "cer", "wer": 16.6667, "errors": 4, "ref_words": 24, "sclite_wer": 16.6667, "p_value": 1.0}
    assert {key: summary[key] for key in expected} == expected


@needs_sclite
def test_scored_in_characters_that_stand_apart_is_scored_in_words(tmp_path: Path) -> None:
    apart = [{utt: " ".join(text) for utt, text in one.items()} for one in (REFS, HYPS)]
    in_characters = score_hypotheses(REFS, HYPS, None, tmp_path / "cer", 0.0, 0.0, baseline_hyps=REFS, metric=CER)
    in_words = score_hypotheses(*apart, None, tmp_path / "wer", 0.0, 0.0, baseline_hyps=apart[0])
    assert in_characters.counts == in_words.counts
    assert (in_characters.interval, in_characters.p_value) == (in_words.interval, in_words.p_value)
    for name in ("per_utt", "per_spk", "ops"):
        of_characters, of_words = (
            tmp_path / metric / "scoring_kaldi" / f"{metric}_details" / name for metric in ("cer", "wer")
        )
        assert of_characters.read_text() == of_words.read_text()
    assert write_score_cer(tmp_path / "a", REFS, HYPS, dict.fromkeys(REFS, "s")) == write_score_wer(
        tmp_path / "b", *apart, dict.fromkeys(REFS, "s")
    )
    assert (tmp_path / "a" / "result.txt").read_text() == (tmp_path / "b" / "result.txt").read_text()


@needs_sclite
def test_a_ctm_of_words_is_scored_in_characters(tmp_path: Path) -> None:
    words = [CtmWord(utt, 0.5, 0.6, text, 0.75) for utt, text in HYPS.items()]
    assert [(one.start, one.duration, one.word) for one in character_ctm([CtmWord("u", 1.0, 0.5, "今;")])] == [
        (1.0, 0.25, "今"),
        (1.25, 0.25, "<U+003B>"),
    ]
    write_ctm(tmp_path / "ctm", words)
    score_hypotheses(REFS, HYPS, None, tmp_path, 0.0, 0.0, ctm=read_ctm(tmp_path / "ctm"), metric=CER)
    report = (tmp_path / "score_ctm" / "result.txt").read_text()
    average = next(line for line in report.splitlines() if "Sum/Avg" in line)
    assert average.replace("|", " ").split()[:4] == ["Sum/Avg", "3", "24", "87.5"]


def test_no_such_metric(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"metric 'per' is not known \(.*valid: wer cer\)"):
        score_hypotheses(REFS, HYPS, None, tmp_path, 0.0, 0.0, metric="per")
    with pytest.raises(InputError, match=r"weights.yaml: metric is 'ter', expected wer or cer"):
        require_metric({"metric": "ter"}, Path("weights.yaml"))
    assert require_metric({}, Path("weights.yaml")) == "wer"


def test_marks_that_are_written_apart_are_found() -> None:
    assert first_decomposed(["が", "か\u3099く", ""]) == "か\u3099く"
    assert first_decomposed(["が", "Ａ１"]) is None
