"""The lesson's steps, without Streamlit."""
