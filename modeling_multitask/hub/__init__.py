"""The Hugging Face Hub: uploads, cards that people edit, Markdown."""
