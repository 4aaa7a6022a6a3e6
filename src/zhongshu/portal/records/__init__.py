"""Records of any kind as pages: list, detail, form, history."""
