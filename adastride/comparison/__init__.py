"""Downsamplers side by side on one clip, without Streamlit."""
