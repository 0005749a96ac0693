"""What people are told of each recorded log: code, file, sentence."""

from __future__ import annotations

EXPECTED: dict[str, tuple[str, str, str]] = {
    "apt_404": (
        "apt_outdated",
        "Dockerfile",
        "The Debian package file “sl_599.02-1%2bb1_amd64.deb” is not on the mirror any more: the list of packages is outdated.",
    ),
    "apt_broken_script": (
        "apt_script_failed",
        "Dockerfile",
        "The Debian package “p” could not be set up: its own script ended with 3.",
    ),
    "apt_no_candidate": (
        "apt_package_not_found",
        "Dockerfile",
        "No Debian package “awk” exists in this release.",
    ),
    "apt_no_key": (
        "apt_key_missing",
        "Dockerfile",
        "The signature of a package source cannot be checked: “http://deb.debian.org/debian trixie InRelease”.",
    ),
    "apt_no_release": (
        "apt_release_missing",
        "Dockerfile",
        "The package source “http://deb.debian.org/debian nosuchrelease Release” does not exist.",
    ),
    "apt_no_update": (
        "apt_package_not_found",
        "Dockerfile",
        "No Debian package “sl” exists in this release.",
    ),
    "apt_not_root": ("apt_needs_root", "Dockerfile", "A step installs Debian packages without being root."),
    "apt_unknown": (
        "apt_package_not_found",
        "apt.txt",
        "No Debian package “libnosuch-dev” exists in this release.",
    ),
    "apt_unknown_version": (
        "apt_version_not_found",
        "Dockerfile",
        "The Debian package “curl” has no version 1.0-1 in this release.",
    ),
    "apt_unmet": (
        "apt_conflict",
        "Dockerfile",
        "The Debian package “p” needs “nosuch-package”, which cannot be installed.",
    ),
    "base_unknown": (
        "base_image_not_found",
        "Dockerfile",
        "The image docker.io/library/nosuchimage-of-nobody:1 the Dockerfile starts from cannot be fetched: its registry cannot be reached from here.",
    ),
    "checksum": ("checksum", "Dockerfile", "The file “Dockerfile” is not the one its checksum was made of."),
    "command_not_found": (
        "command_not_found",
        "Dockerfile",
        "A step runs a command that is not installed: “cmake”.",
    ),
    "command_not_found_bash": (
        "command_not_found",
        "Dockerfile",
        "A step runs a command that is not installed: “cmake”.",
    ),
    "conda_conflict": (
        "conda_conflict",
        "environment.yml",
        "The conda packages contradict each other, “python” among them.",
    ),
    "conda_conflict_old": (
        "conda_conflict",
        "environment.yml",
        "The conda packages contradict each other, “snowflake-connector-python-2.0.2-py38_0” among them.",
    ),
    "conda_unknown": (
        "conda_package_not_found",
        "environment.yml",
        "A conda package of this environment does not exist: “fluxus-of-nobody”.",
    ),
    "conda_unknown_old": (
        "conda_package_not_found",
        "environment.yml",
        "A conda package of this environment does not exist: “quarto-of-nobody”.",
    ),
    "copy_ignored": (
        "copy_missing",
        "Dockerfile",
        "The Dockerfile copies “/data.csv”, which is not in the repository.",
    ),
    "copy_missing": (
        "copy_missing",
        "Dockerfile",
        "The Dockerfile copies “/nosuch.txt”, which is not in the repository.",
    ),
    "dns": ("network", "Dockerfile", "A step needed nosuch.invalid, which cannot be reached from here."),
    "dockerfile_bad_env": (
        "dockerfile_invalid",
        "Dockerfile",
        "The Dockerfile cannot be built: “ENV must have two arguments”.",
    ),
    "dockerfile_bad_flag": (
        "dockerfile_syntax",
        "Dockerfile:2",
        "The Dockerfile cannot be read: “Unknown flag: nosuch”.",
    ),
    "dockerfile_bad_quote": (
        "dockerfile_invalid",
        "Dockerfile",
        'The Dockerfile cannot be built: “failed to process "\\"b": unexpected end of statement while looking for matching…”.',
    ),
    "dockerfile_empty": ("dockerfile_syntax_refused", "Dockerfile", "The Dockerfile is empty."),
    "dockerfile_no_from": (
        "dockerfile_invalid",
        "Dockerfile",
        "The Dockerfile cannot be built: “no build stage in current context”.",
    ),
    "dockerfile_one_argument": (
        "dockerfile_syntax",
        "Dockerfile:2",
        "The Dockerfile cannot be read: “COPY requires at least two arguments, but only one was provided. Destination co…”.",
    ),
    "dockerfile_unknown": (
        "dockerfile_syntax",
        "Dockerfile:3",
        "The Dockerfile cannot be read: “unknown instruction: RUM”.",
    ),
    "environment_not_a_map": (
        "render_failed",
        "environment.yml",
        "repo2docker cannot read environment.yml: environment.yml should contain a dictionary. Got <class 'ruamel.yaml.comments.CommentedSeq'>",
    ),
    "environment_syntax": (
        "render_failed",
        "environment.yml",
        'repo2docker cannot read environment.yml: while parsing a block mapping in "environment.yml", line 1, column 1 expected <block end>, but found \'<block sequence start>\' in "environment.yml", line 4, column 2',
    ),
    "exec_format": (
        "exec_format",
        "Dockerfile",
        "“./tool” is no program of this machine: built for another processor, or a script without a first line.",
    ),
    "exec_format_script": (
        "exec_format",
        "Dockerfile",
        "“./tool” is no program of this machine: built for another processor, or a script without a first line.",
    ),
    "forks": (
        "too_many_processes",
        "Dockerfile",
        "A step of the build started more processes than a build may have.",
    ),
    "git_login": (
        "git_needs_login",
        "Dockerfile",
        "A step asks http://127.0.0.1:8000 for a repository that needs a login, and a build has none.",
    ),
    "git_ssh": (
        "git_over_ssh",
        "Dockerfile",
        "A step uses git over ssh with 127.0.0.1, and a build has no key.",
    ),
    "http_404": (
        "download_not_found",
        "Dockerfile",
        "A file that a step downloads is not there any more (HTTP 404 or 403).",
    ),
    "http_404_wget": (
        "download_not_found",
        "Dockerfile",
        "A file that a step downloads is not there any more (HTTP 404 or 403).",
    ),
    "julia_conflict": (
        "julia_conflict",
        "Project.toml",
        "The Julia packages contradict each other at “Demo”.",
    ),
    "julia_unknown": ("julia_package_not_found", "Project.toml", "No Julia package “Demoo” is registered."),
    "jupyter_command": (
        "jupyter_command",
        "Dockerfile",
        "There is no command “jupyter nosuchcommand” in the image.",
    ),
    "killed": ("out_of_memory", "Dockerfile", "A step of the build used more memory than a build may have."),
    "linker": (
        "library_missing",
        "Dockerfile",
        "A program has to be compiled and the library of “nosuch” is missing.",
    ),
    "locale": (
        "text_encoding",
        "Dockerfile",
        "A Python script read a file in the wrong encoding: “'ascii' codec can't decode byte 0xc3 in position 3: ordinal not in range(128)”.",
    ),
    "make": ("make_failed", "Makefile:2", "`make` could not make “all”."),
    "make_no_target": ("make_failed", "Dockerfile", "`make` could not make “install”."),
    "memory": ("out_of_memory", "Dockerfile", "A step of the build used more memory than a build may have."),
    "no_space_shm": ("disk_full", "Dockerfile", "There was no space left to write “/dev/shm/x”."),
    "not_an_archive": ("archive_damaged", "Dockerfile", "A file that a step unpacks is no archive."),
    "not_executable": (
        "script_not_executable",
        "Dockerfile",
        "The script “./prepare.sh” may not be executed.",
    ),
    "npm_conflict": ("npm_conflict", "Dockerfile", "The npm packages asked for contradict each other."),
    "npm_json": ("npm_json", "Dockerfile", "package.json is not JSON."),
    "npm_lock": ("npm_lock_missing", "Dockerfile", "`npm ci` needs a package-lock.json, which is not there."),
    "npm_unknown": (
        "npm_package_not_found",
        "Dockerfile",
        "No npm package “nosuch-package-of-nobody-at-all@*” exists.",
    ),
    "npm_version": ("npm_package_not_found", "Dockerfile", "No npm package “left-pad@99” exists."),
    "permission_denied": ("permission_denied", "Dockerfile", "A step may not write “/usr/bin/x”."),
    "pip_bad_line": (
        "requirements_syntax",
        "requirements.txt:2",
        "A line of the package list cannot be read: “numpy=2”.",
    ),
    "pip_cmake": (
        "cmake_missing",
        "Dockerfile",
        "A package has to be compiled with CMake, which is not installed.",
    ),
    "pip_compiler": (
        "compiler_missing",
        "Dockerfile",
        "A package has to be compiled and there is no compiler.",
    ),
    "pip_conflict": (
        "package_conflict",
        "Dockerfile",
        "The Python packages “requests==2.31.0” and “urllib3==1.20” contradict each other.",
    ),
    "pip_externally_managed": (
        "python_managed",
        "Dockerfile",
        "A step installs Python packages into Debian's own Python, which pip refuses.",
    ),
    "pip_hash": (
        "package_hash",
        "Dockerfile",
        "The package “requests==2.32.3” is not the one whose hash the package list has.",
    ),
    "pip_header": (
        "header_missing",
        "Dockerfile",
        "A program has to be compiled and the header “nosuch.h” is missing.",
    ),
    "pip_missing_file": (
        "requirements_file_missing",
        "Dockerfile",
        "The package list names the file “req.txt”, which is not in the repository.",
    ),
    "pip_offline": ("index_unreachable", "Dockerfile", "The package index 127.0.0.1 could not be asked."),
    "pip_package_unknown": (
        "package_not_found",
        "Dockerfile",
        "No Python package “numppy-of-nobody” can be installed: the name or version does not exist for this Python.",
    ),
    "pip_package_wrong_python": (
        "python_version",
        "Dockerfile",
        "The package “old” does not run on Python 3.13.5.",
    ),
    "pip_pg_config": (
        "library_missing",
        "Dockerfile",
        "A program has to be compiled and the library of “pg_config” is missing.",
    ),
    "pip_rust": (
        "rust_missing",
        "Dockerfile",
        "A package has to be compiled with Rust, and there is no Rust compiler.",
    ),
    "pip_setup_fails": (
        "package_build_failed",
        "Dockerfile",
        "The Python package “file:///srv/repo/old” could not be built.",
    ),
    "pip_unknown_host": (
        "index_unreachable",
        "Dockerfile",
        "The package index pypi.invalid could not be asked.",
    ),
    "pip_version_unknown": (
        "package_not_found",
        "Dockerfile",
        "No Python package “numpy==99.9” can be installed: the name or version does not exist for this Python.",
    ),
    "pip_wrong_python": (
        "python_version",
        "Dockerfile",
        "The package “numba==0.55.2” does not run on the Python of this environment.",
    ),
    "post_build_crlf": (
        "interpreter_missing",
        "postBuild",
        "The script “./postBuild”, or the program that its first line names, is not there.",
    ),
    "post_build_exit": ("post_build", "postBuild", "The repository's `postBuild` ended with exit code 3."),
    "post_build_no_interpreter": (
        "interpreter_missing",
        "postBuild",
        "The script “./postBuild”, or the program that its first line names, is not there.",
    ),
    "post_build_python": (
        "python_module_missing",
        "postBuild",
        "A Python script of the build needs the module “nosuchmodule”, which is not installed.",
    ),
    "pyproject_syntax": (
        "build_file_unreadable",
        "pyproject.toml",
        "The file pyproject.toml is not TOML: Expected ']' at the end of a table declaration (at line 1, column 9).",
    ),
    "python_module": (
        "python_module_missing",
        "Dockerfile",
        "A Python script of the build needs the module “nosuchmodule”, which is not installed.",
    ),
    "python_syntax": (
        "python_syntax",
        "tool.py:1",
        "A Python script has an error in its text: “Missing parentheses in call to 'print'. Did you mean print(...)?”.",
    ),
    "python_traceback": (
        "python_failed",
        "Dockerfile",
        "A Python script of the build failed: “json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)”.",
    ),
    "r_error": ("r_failed", "Dockerfile", "An R script failed: “the water is too cold”."),
    "r_library": (
        "r_package_missing",
        "Dockerfile",
        "An R script needs the package “nosuchpackage”, which is not installed.",
    ),
    "r_unknown": (
        "r_package_not_found",
        "Dockerfile",
        "No R package “nosuchpackage” exists for this version of R.",
    ),
    "read_only": ("read_only", "Dockerfile", "A step writes “/m/x”, which is read-only in a build."),
    "refused": ("network", "Dockerfile", "A step needed 127.0.0.1, which cannot be reached from here."),
    "runtime_unknown": (
        "render_failed",
        "runtime.txt",
        "repo2docker cannot read runtime.txt: Python version 9.9 on linux-64 is not supported!",
    ),
    "script_missing": (
        "interpreter_missing",
        "Dockerfile",
        "The script “./nosuch.sh”, or the program that its first line names, is not there.",
    ),
    "segfault": ("crashed", "Dockerfile", "A program of the build crashed (segmentation fault)."),
    "sudo": ("sudo_missing", "Dockerfile", "A step uses sudo, which images do not have."),
    "tls": ("certificate", "Dockerfile", "The certificate of a download host is not trusted here."),
    "unreachable": ("network", "Dockerfile", "A step needed 192.0.2.1, which cannot be reached from here."),
    "user_unknown": (
        "user_unknown",
        "Dockerfile",
        "The Dockerfile names the user “nosuchuser”, whom the image does not have.",
    ),
    "uv_bad_line": (
        "requirements_syntax",
        "requirements.txt",
        "A line of the package list cannot be read: “numpy=2”.",
    ),
    "uv_bad_version": (
        "requirements_syntax",
        "requirements.txt",
        "A line of the package list cannot be read: “numpy==two”.",
    ),
    "uv_compiler": (
        "compiler_missing",
        "pyproject.toml",
        "A package has to be compiled and there is no compiler.",
    ),
    "uv_conflict": (
        "package_conflict",
        "requirements.txt",
        "The Python packages “pandas==2.2.3” and “numpy==1.20.0” contradict each other.",
    ),
    "uv_conflict_direct": (
        "package_conflict",
        "requirements.txt",
        "The Python packages “requests==2.31.0” and “requests==2.32.0” contradict each other.",
    ),
    "uv_git_needs_login": (
        "network",
        "requirements.txt",
        "A step needed gitlab.com, which cannot be reached from here.",
    ),
    "uv_latin1": ("requirements_encoding", "requirements.txt", "The package list is not UTF-8 text."),
    "uv_missing_include": (
        "requirements_file_missing",
        "requirements.txt",
        "The package list names the file “more.txt”, which is not in the repository.",
    ),
    "uv_no_wheel": (
        "library_missing",
        "requirements.txt",
        "A program has to be compiled and the library of “pg_config” is missing.",
    ),
    "uv_not_text": (
        "requirements_syntax",
        "requirements.txt",
        "A line of the package list cannot be read: “nümpy”.",
    ),
    "uv_offline": (
        "index_unreachable",
        "Dockerfile",
        "The package index http://127.0.0.1:9 could not be asked.",
    ),
    "uv_package_needs_python": (
        "package_too_old",
        "pyproject.toml",
        "The package “numpy” is too old for the Python of this environment, and has no wheel for it.",
    ),
    "uv_package_unknown": (
        "package_not_found",
        "requirements.txt",
        "No Python package “numppy-of-nobody” can be installed: the name or version does not exist for this Python.",
    ),
    "uv_setup_fails": (
        "package_build_failed",
        "pyproject.toml",
        "The Python package “demo” could not be built.",
    ),
    "uv_version_unknown": (
        "package_not_found",
        "requirements.txt",
        "No Python package “numpy==99.9” can be installed: the name or version does not exist for this Python.",
    ),
    "uv_wrong_python": (
        "python_version",
        "requirements.txt",
        "The package “llvmlite” does not run on Python 3.13.5.",
    ),
}
