"""What sessions of made_up_pictures_app.py run: the app's own main script, after its catalogue of networks of pictures was replaced."""

import os
import runpy
import sys
from pathlib import Path

from adastride import checkpoints
from adastride.ui import live

sys.path.append(str(Path(__file__).resolve().parents[1]))
from made_up_pictures import FOLDER_VARIABLE, catalogue

checkpoints.picture_catalogue = lambda: catalogue(Path(os.environ[FOLDER_VARIABLE]))
runpy.run_path(str(live.MAIN_SCRIPT), run_name="__main__")
