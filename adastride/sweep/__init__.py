"""What if σ or the stride were another: sweeps over a clip or labelled clips, without Streamlit."""
