"""Pages as a person sees them: a real Chromium on a real hub."""
