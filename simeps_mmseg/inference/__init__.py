"""Trained models at work: loaded, fed with image files, predicting, compared with what was exported of them."""
