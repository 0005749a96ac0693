"""Causes that lie in packages of Debian, conda, R, Julia and npm. Pure."""

from __future__ import annotations

from typing import Final

from .failure_rule import APT, CONDA, DOCKER, Rule

DEBIAN: Final[tuple[Rule, ...]] = (
    Rule(
        code="apt_needs_root",
        pattern=r"are you root\?|lock-frontend - open \(13: Permission denied\)|dpkg: error: requested operation requires superuser",
        message="A step installs Debian packages without being root.",
        hint="List them in `apt.txt`, or write `USER root` before the step and the image's user after it.",
        file=DOCKER,
    ),
    Rule(
        code="apt_package_not_found",
        pattern=r"E: Unable to locate package (?P<what>\S+)|E: Package '(?P<what2>[^'\n]+)' has no installation candidate",
        message="No Debian package “{}” exists in this release.",
        hint="Check its name on packages.debian.org; in a Dockerfile, `apt-get update` has to be in the same step.",
        file=APT,
    ),
    Rule(
        code="apt_version_not_found",
        pattern=r"E: Version '(?P<other>[^'\n]+)' for '(?P<what>[^'\n]+)' was not found",
        message="The Debian package “{}” has no version {other} in this release.",
        hint="Leave the version out: a release has one of each package, and security updates replace it.",
        file=APT,
    ),
    Rule(
        code="apt_outdated",
        pattern=r"E: Failed to fetch \S+/(?P<what>[^/\s]+\.deb)\s+404",
        message="The Debian package file “{}” is not on the mirror any more: the list of packages is outdated.",
        hint="Put `apt-get update` into the same step as `apt-get install`.",
        file=DOCKER,
    ),
    Rule(
        code="apt_release_missing",
        pattern=r"The repository '(?P<what>[^'\n]+)' does not have a Release file|The repository '(?P<what2>[^'\n]+)' no longer has a Release",
        message="The package source “{}” does not exist.",
        hint="Check its address and release name; what is too old has moved to archive.debian.org.",
        file=DOCKER,
    ),
    Rule(
        code="apt_key_missing",
        pattern=r"NO_PUBKEY (?P<what>\w+)|The repository '(?P<what2>[^'\n]+)' is not signed",
        message="The signature of a package source cannot be checked: “{}”.",
        hint="Install the key of that source first, as its documentation says.",
        file=DOCKER,
    ),
    Rule(
        code="apt_conflict",
        pattern=r"unmet dependencies[^\n]*\n\s*(?P<what>[^\s:]+) ?: (?:Pre)?Depends: (?P<other>[^\s]+)|you have held broken packages",
        message="The Debian package “{}” needs “{other}”, which cannot be installed.|The Debian packages asked for contradict each other.",
        hint="Leave versions out, and do not mix packages of several releases.",
        file=APT,
    ),
    Rule(
        code="apt_script_failed",
        pattern=r"installed (?P<what>\S+) package \S+ script subprocess returned error exit status (?P<other>\d+)",
        message="The Debian package “{}” could not be set up: its own script ended with {other}.",
        hint="The lines before say why; some services cannot be set up within an image.",
        file=APT,
    ),
)

OTHER_LANGUAGES: Final[tuple[Rule, ...]] = (
    Rule(
        code="conda_package_not_found",
        pattern=r"(?:─|\A|\n)[ \t]{0,40}(?P<what>[\w.-]+) [^\n]{0,80}does not exist \(perhaps"
        r"|nothing provides (?:requested )?(?P<what2>[^\s]+)|(?:ResolvePackageNotFound|PackagesNotFoundError)[^\n]*\n(?:[^\n-]*\n)*?\s*- (?P<what3>\S+)"
        r"|ResolvePackageNotFound|PackagesNotFoundError",
        message="A conda package of this environment does not exist: “{}”.|A conda package of this environment does not exist.",
        hint="Check names, versions and channels.",
        file=CONDA,
    ),
    Rule(
        code="conda_conflict",
        pattern=r"package (?P<what>\S+) requires (?P<other>[^\n]+?), but none of the providers"
        r"|─ (?P<what2>[\w.-]+)[^\n]* is not installable because it (?:conflicts|requires)"
        r"|Could not solve for environment specs|LibMambaUnsatisfiableError|UnsatisfiableError",
        message="The conda packages contradict each other, “{}” among them.|The conda packages of this environment contradict each other.",
        hint="Loosen or remove version limits until they agree; the log says which.",
        file=CONDA,
    ),
    Rule(
        code="r_package_not_found",
        pattern=r"package ['‘](?P<what>[^'’\n]+)['’] is not available",
        message="No R package “{}” exists for this version of R.",
        hint="Check its name on cran.r-project.org.",
        file="install.R",
    ),
    Rule(
        code="r_package_missing",
        pattern=r"there is no package called ['‘](?P<what>[^'’\n]+)['’]",
        message="An R script needs the package “{}”, which is not installed.",
        hint='Install it first: `install.packages("…")` in `install.R`.',
        file="install.R",
    ),
    Rule(
        code="r_failed",
        pattern=r"Error(?: in [^\n]*?)?: (?P<what>[^\n]+)\n(?:[^\n]*\n)*?[^\n]*Execution halted|Execution halted",
        message="An R script failed: “{}”.|An R script failed.",
        hint="Run it in a server without this script to see more.",
        file="install.R",
    ),
    Rule(
        code="julia_package_not_found",
        pattern=r"package names could not be resolved:\s*\n[^\n]*?\* (?P<what>[\w.]+)|expected package [`']?(?P<what2>\w+)[^\n]*to be registered",
        message="No Julia package “{}” is registered.",
        hint="Check its name and UUID in `Project.toml`.",
        file="Project.toml",
    ),
    Rule(
        code="julia_conflict",
        pattern=r"Unsatisfiable requirements detected for package (?P<what>\w+)",
        message="The Julia packages contradict each other at “{}”.",
        hint="Loosen `[compat]`, or leave `Manifest.toml` out so that versions are chosen anew.",
        file="Project.toml",
    ),
    Rule(
        code="npm_package_not_found",
        pattern=r"npm (?:ERR!|error)[^\n]*No matching version found for (?P<what>[^\s]+?)\.?(?:\s|$)"
        r"|npm (?:ERR!|error) (?:code E)?404[^\n]*'(?P<what2>[^'\n]+)' (?:is not in|could not be found)",
        message="No npm package “{}” exists.",
        hint="Check its name and version on npmjs.com.",
        file="package.json",
    ),
    Rule(
        code="npm_conflict",
        pattern=r"npm (?:ERR!|error)[^\n]*ERESOLVE",
        message="The npm packages asked for contradict each other.",
        hint="Choose versions that fit each other; the log names the peer dependency.",
        file="package.json",
    ),
    Rule(
        code="npm_lock_missing",
        pattern=r"npm ci` command can only install with an existing package-lock",
        message="`npm ci` needs a package-lock.json, which is not there.",
        hint="Add package-lock.json to the repository, or use `npm install`.",
        file="package-lock.json",
    ),
    Rule(
        code="npm_json",
        pattern=r"npm (?:ERR!|error)[^\n]*EJSONPARSE",
        message="package.json is not JSON.",
        hint="Correct it; the log says at which place.",
        file="package.json",
    ),
)
