"""The Hugging Face Hub: uploads, merged cards and Markdown."""
