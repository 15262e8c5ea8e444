"""Training a rescorer: objectives, and the loop with model choice on dev."""
