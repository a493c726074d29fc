"""The Sigma page's links and its picker of labelled clips."""
