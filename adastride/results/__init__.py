"""The results file and the papers' tables: reading, statistics, sentences and figures, without Streamlit."""
