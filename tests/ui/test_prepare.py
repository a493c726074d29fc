"""What a server has done before the first page is shown."""

import subprocess
import sys


def test_pandas_is_imported_before_any_page_is():
    """Plotly takes a pandas that another session's thread is importing for a whole one, and fails: a page showed that once in three
    runs under load."""
    code = "import sys; from adastride.ui import resources; resources.prepare(); print(hasattr(sys.modules.get('pandas'), 'Series'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split()[-1] == "True"
