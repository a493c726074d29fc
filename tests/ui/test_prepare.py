"""What a server has done before the first page is shown."""

import subprocess
import sys


def test_pandas_is_imported_before_any_page_is():
    """Plotly takes a pandas that another session's thread is importing for a whole one, and fails: a page showed that once in three
    runs under load."""
    code = "import sys; from adastride.ui import resources; resources.prepare(); print(hasattr(sys.modules.get('pandas'), 'Series'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split()[-1] == "True"


def test_an_upload_is_never_written_to_a_file():
    """Of the size of a song; the server would hold only the first megabyte in memory."""
    code = """
import asyncio, tempfile
from starlette.requests import Request
from adastride.ui import resources

def refuse(*args, **options):
    raise AssertionError("a temporary file was made")

tempfile.TemporaryFile = refuse
resources.keep_uploads_in_memory()
body = b'--x\\r\\nContent-Disposition: form-data; name="file"; filename="a.wav"\\r\\n\\r\\n' + bytes(5_000_000) + b'\\r\\n--x--\\r\\n'

async def receive():
    return {"type": "http.request", "body": body, "more_body": False}

async def size():
    headers = [(b"content-type", b"multipart/form-data; boundary=x")]
    form = await Request({"type": "http", "method": "PUT", "headers": headers}, receive).form()
    return form["file"].size

print(asyncio.run(size()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.split()[-1:] == ["5000000"], done.stderr[-500:]
