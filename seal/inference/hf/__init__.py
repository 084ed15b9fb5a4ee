"""Image-text models of Hugging Face: loading, inputs, and what is where in them."""
