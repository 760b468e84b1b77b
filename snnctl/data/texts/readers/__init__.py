"""Where labelled texts come from: files and folders of them."""
