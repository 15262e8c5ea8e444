"""The stages on a Mandarin and Japanese decode, in characters, by their verbs and with a tiny PLM of these scripts."""

import shutil
from collections.abc import Callable
from pathlib import Path

import kaldialign
import pytest
import torch
from plm_models import CAUSAL, VOCAB_SIZE
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from lorescore.combine import read_weights
from lorescore.files import read_table, read_yaml, write_yaml
from lorescore.nbest import list_costs, read_nbest_dir

pytestmark = pytest.mark.skipif(
    not (shutil.which("sclite") or shutil.which("sctk")), reason="sclite is missing: apt-get install sctk"
)

Call = Callable[..., object]

# Words with spaces between, as Kaldi has them: reference, hypotheses by rank.
UTTERANCES = {
    "spk1-0": ("今天 天气 很 好", ["今天 天汽 很 好", "今天 天气 很 好", "今天 天气 好"]),
    "spk1-1": ("我 要 买 iphone", ["我 要 卖 i phone", "我 要 买 iphone"]),
    "spk2-0": ("東京 タワー へ 行く", ["東京 タワ へ 行く", "東京 へ 行く", "東京 タワー へ 行く"]),
    "spk2-1": ("明天 见", ["", "明天 见"]),
}
REF_CHARACTERS = 26
QUICK = ("--rank", "2", "--epochs", "1", "--lists_per_step", "2", "--evaluations", "1", "--tensorboard", "false")


def make_decode(folder: Path, *, segmented: bool) -> Path:
    """An ESPnet decode and its ref_text, with the spaces or without."""

    def written(text: str) -> str:
        return text if segmented else text.replace(" ", "")

    for utt, (_, hypotheses) in UTTERANCES.items():
        for rank, text in enumerate(hypotheses, start=1):
            job = folder / "logdir" / "output.1" / f"{rank}best_recog"
            job.mkdir(parents=True, exist_ok=True)
            for name, value in (("text", written(text)), ("score", f"tensor({-0.5 * rank})")):
                with (job / name).open("a", encoding="utf-8") as file:
                    file.write(f"{utt} {value}\n")
    lines = (f"{utt} {written(ref)}\n" for utt, (ref, _) in UTTERANCES.items())
    (folder / "ref_text").write_text("".join(lines), encoding="utf-8")
    return folder


def save_character_plm(folder: Path) -> Path:
    """A tiny causal LM whose tokens are the characters of the sentences."""
    made = Tokenizer(models.BPE(unk_token="<unk>"))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    sentences = [text.replace(" ", "") for ref, hypotheses in UTTERANCES.values() for text in (ref, *hypotheses)]
    special = ["<pad>", "<s>", "</s>", "<unk>"]
    trainer = trainers.BpeTrainer(vocab_size=VOCAB_SIZE, special_tokens=special, show_progress=False)
    made.train_from_iterator([*sentences, "i phone"], trainer)
    PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(CAUSAL["llama"]).save_pretrained(folder)
    return folder


@pytest.fixture
def exp(tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> Path:
    """exp/nbest/{dev,test}: dev from the decode with spaces, test from that without."""
    monkeypatch.chdir(tmp_path)
    for name, segmented in (("dev", True), ("test", False)):
        decode = make_decode(tmp_path / f"decode_{name}", segmented=segmented)
        outcome = call(
            "import-nbest", "--decode_dir", decode, "--ref", decode / "ref_text", "--metric", "cer",
            "--out", tmp_path / "exp" / "nbest" / name,
        )  # fmt: skip
        assert outcome.status == 0, outcome
    return tmp_path / "exp"


def characters_wrong(refs: dict[str, str], hyps: dict[str, str]) -> int:
    """Counted by kaldialign on the texts as Python has them."""
    return sum(
        kaldialign.edit_distance(list(ref.replace(" ", "")), list(hyps[utt].replace(" ", "")))["total"]
        for utt, ref in refs.items()
    )


def test_lists_in_characters(exp: Path, tmp_path: Path, call: Call) -> None:
    assert read_yaml(exp / "nbest" / "test" / "nbest.yaml")["metric"] == "cer"
    decode = tmp_path / "decode_dev"
    arguments = ("import-nbest", "--decode_dir", decode, "--ref", decode / "ref_text", "--out", exp / "nbest" / "dev")
    outcome = call(*arguments, "--metric", "cer")
    # 汽, 卖, ー, and 明天见: 6 of the 26 characters.
    assert outcome.out.splitlines() == [
        f"{exp}/nbest/dev: up to date",
        f"{exp}/nbest/dev: 4 utterances, 10 hypotheses",
        f"{exp}/nbest/dev: 1-best, characters: %WER 23.08 [ 6 / 26, 0 ins, 4 del, 2 sub ]",
        f"{exp}/nbest/dev: oracle, characters: %WER 0.00 [ 0 / 26, 0 ins, 0 del, 0 sub ]",
    ]
    in_words = call(*arguments)
    assert "1-best %WER 50.00 [ 7 / 14, 1 ins, 2 del, 4 sub ]" in in_words.out
    assert read_nbest_dir(exp / "nbest" / "dev").metric == "wer"
    write_yaml(exp / "plm" / "some" / "config.yaml", {})
    outcome = call("rescore", "--tags", "some", "--dev", "dev", "--sets", "test", "--exp_dir", exp)
    assert outcome.error_line() == (
        f"lorescore rescore: {exp}/nbest/test/nbest.yaml: metric cer, but wer in dev "
        "(make all lists with one --metric: stage 4)"
    )
    bad = call(*arguments, "--metric", "character")
    assert "--metric 'character' is not known" in bad.error_line()


def test_texts_of_two_forms_are_told(exp: Path, tmp_path: Path, call: Call, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "hyp.tsv").write_text("u\t1\t-1.0\tか\u3099く\nu\t2\t-2.0\tか\n", encoding="utf-8")
    (tmp_path / "ref").write_text("u がく\n", encoding="utf-8")
    arguments = ("import-nbest", "--decode_dir", tmp_path / "hyp.tsv", "--ref", tmp_path / "ref", "--format", "tsv")
    assert call(*arguments, "--out", tmp_path / "out", "--metric", "cer").status == 0
    assert "hypotheses are not in Unicode's form NFC, such as 'か\u3099く'" in caplog.text
    assert "references" not in caplog.text.split("hypotheses")[0]


def test_from_the_decode_to_the_report(exp: Path, call: Call) -> None:
    plm = ("--plm", save_character_plm(exp.parent / "llama"), "--plm_text", "as-is")
    assert call("fetch-plm", *plm).status == 0
    lists = ("--train", exp / "nbest" / "dev", "--dev", exp / "nbest" / "dev")
    for strategy in (("none",), ("vanilla", *QUICK)):
        outcome = call("train", *plm, *lists, "--lora", *strategy)
        assert outcome.status == 0, outcome
    tags = sorted(path.name for path in (exp / "plm").iterdir() if not path.name.startswith("."))
    outcome = call("rescore", "--tags", " ".join(tags), "--dev", "dev", "--sets", "test", "--decode", "mbr")
    assert outcome.status == 0, outcome
    assert "CER " in outcome.out and "WER" not in outcome.out
    for tag in tags:
        # The PLM reads both sets without the spaces, but for that of `i phone`.
        dev, test = (
            list_costs(exp / "nbest" / name, read_nbest_dir(exp / "nbest" / name), tag) for name in ("dev", "test")
        )
        assert [dev[0], *dev[2:]] == [test[0], *test[2:]]
        assert dev[1][0] != test[1][0]
        weights = read_yaml(exp / "rescore" / tag / "weights.yaml")
        assert weights["metric"] == read_weights(exp / "rescore" / tag / "weights.yaml").metric == "cer"
    for system in ("first_pass", "oracle", *tags, *(f"{tag}_mbr" for tag in tags)):
        for name in ("dev", "test"):
            folder = exp / "rescore" / system / name
            options = ["--ref", exp / "nbest" / name / "text", "--hyp", folder / "text", "--out", folder]
            if (folder / "ctm").is_file():
                options += ["--ctm", folder / "ctm"]
            if (folder.parent / "weights.yaml").is_file():
                options += ["--weights", folder.parent / "weights.yaml"]
            outcome = call("score", *options)
            assert outcome.status == 0, outcome
            result = read_yaml(folder / "result.yaml")
            refs, hyps = read_table(exp / "nbest" / name / "text"), read_table(folder / "text")
            errors = characters_wrong(refs, hyps)
            assert (result["metric"], result["errors"], result["ref_words"]) == ("cer", errors, REF_CHARACTERS)
            percent = 100 * errors / REF_CHARACTERS
            assert outcome.out.startswith(f"%WER {percent:.2f} [ {errors} / {REF_CHARACTERS}, ")
            assert (folder / "score_cer" / "result.txt").is_file()
            assert not (folder / "score_wer").exists()
            if name == "test":  # no spaces: ESPnet's number is Kaldi's
                assert result["sclite_wer"] == result["wer"]
        dev_wer = read_yaml(exp / "rescore" / system / "dev" / "result.yaml")["wer"]
        if system in tags:
            assert read_yaml(exp / "rescore" / system / "weights.yaml")["dev_wer"] == dev_wer <= 23.0769
    outcome = call("report", "--exp_dir", exp)
    assert outcome.status == 0, outcome
    report = (exp / "RESULTS.md").read_text(encoding="utf-8")
    assert "Errors of `dev`, `test` are those of characters" in report
    assert "### test (4 utterances, 26 characters; so few" in report
    first_pass = next(line for line in report.splitlines() if line.startswith("| first_pass"))
    assert first_pass.split("|")[2].strip() == "23.08"


def test_sets_of_both_kinds_do_not_go_together(exp: Path, tmp_path: Path, call: Call) -> None:
    decode, in_words = tmp_path / "decode_dev", exp / "nbest" / "words"
    assert call("import-nbest", "--decode_dir", decode, "--ref", decode / "ref_text", "--out", in_words).status == 0
    outcome = call("train", "--plm", "smollm2", "--train", exp / "nbest" / "dev", "--dev", in_words)
    assert f"{in_words}: metric wer, but cer in {exp}/nbest/dev (make all lists" in outcome.error_line()
    (tmp_path / "spk").write_text("spk1\n")
    dev, out = exp / "nbest" / "dev", tmp_path / "subset"
    subset = ("subset", "--spk_list", tmp_path / "spk", "--out", out, "--nbest_dir", dev)
    assert call(*subset).status == 0
    assert read_nbest_dir(tmp_path / "subset").metric == "cer"
    shutil.rmtree(tmp_path / "decode_test")
    other = make_decode(tmp_path / "decode_test", segmented=True)
    for path in (*other.rglob("text"), *other.rglob("score"), other / "ref_text"):
        path.write_text(path.read_text(encoding="utf-8").replace("spk", "other"), encoding="utf-8")
    outcome = call(
        "import-nbest", "--decode_dir", other, "--ref", other / "ref_text", "--out", exp / "nbest" / "others"
    )
    assert outcome.status == 0
    assert "metric wer, but cer in" in call(*subset, exp / "nbest" / "others").error_line()


def test_homophones_need_words(exp: Path, tmp_path: Path, call: Call) -> None:
    lexicon = tmp_path / "lexicon.txt"
    lexicon.write_text("天气 T IY1 AA1 N CH IY1\n天汽 T IY1 AA1 N CH IY1\n", encoding="utf-8")
    arguments = ("perturb", "--out_dir", exp / "nbest", "--lexicon_dir", exp / "lexicon", "--pronunciations", lexicon)
    arguments += ("--kinds", "nbest", "--rates", "1", "--seeds", "1", "--nbest_dir")
    outcome = call(*arguments, exp / "nbest" / "test")
    assert outcome.error_line().startswith(
        "lorescore perturb: homophones need words, but the hypotheses of a set with metric cer have no spaces "
        "between words"
    )
    assert call(*arguments, exp / "nbest" / "dev").status == 0
    perturbed = read_nbest_dir(exp / "nbest" / "dev_nbest_p1_s1")
    assert perturbed.metric == "cer"
    assert perturbed.lists[0].texts == ["今天 天气 很 好", "今天 天汽 很 好", "今天 天汽 好"]
    assert perturbed.word_counts.errors[:3].tolist() == [0, 1, 2]
