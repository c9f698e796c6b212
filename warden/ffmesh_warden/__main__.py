"""Started by the owner's side as `python -S -I -E …/ffmesh_warden/__main__.py <descriptor>`; not for hands."""

import sys

# Neither site-packages nor our own folder is on the path of an isolated Python. At the end, so that nothing that is
# installed beside us can stand in for the standard library.
sys.path.append(__file__.rpartition("/ffmesh_warden/")[0])

from ffmesh_warden.process import serve

serve(int(sys.argv[1]))
