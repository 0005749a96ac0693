"""Causes that lie in the machine and its network: space, memory, hosts, certificates. Pure."""

from __future__ import annotations

from typing import Final

from .failure_rule import Rule

LIMITS: Final[tuple[Rule, ...]] = (
    Rule(
        code="disk_full",
        pattern=r"writing '(?P<what>[^'\n]+)': [Nn]o space left on device|[Nn]o space left on device",
        message="There was no space left to write “{}”.|There was no space left on the disk of a build step.",
        hint="Tell an administrator; where a step fills /dev/shm or another small file system, write elsewhere.",
    ),
    Rule(
        code="out_of_memory",
        pattern=r"exit code:? 137\b|signal: killed|Killed$|[Cc]annot allocate memory|MemoryError|out of memory|std::bad_alloc",
        message="A step of the build used more memory than a build may have.",
        hint="Install less at once, or ask an administrator for a higher limit.",
    ),
    Rule(
        code="too_many_processes",
        pattern=r"[Rr]esource temporarily unavailable|can't start new thread|fork: retry|Cannot fork",
        message="A step of the build started more processes than a build may have.",
        hint="Limit parallel jobs (for example `make -j2`).",
    ),
    Rule(
        code="crashed",
        pattern=r"Segmentation fault|exit code:? 139\b|core dumped",
        message="A program of the build crashed (segmentation fault).",
        hint="Often two packages do not fit each other: try other versions, or find the program in the last lines of the log.",
    ),
)

NETWORK: Final[tuple[Rule, ...]] = (
    Rule(
        code="certificate",
        pattern=r"[Cc]ertificate verif(?:y|ication) failed|CERTIFICATE_VERIFY_FAILED|SSL certificate problem"
        r"|unable to get local issuer|UnknownIssuer|self-signed certificate|invalid peer certificate",
        message="The certificate of a download host is not trusted here.",
        hint="An administrator can give the builds the site's certificate bundle (VERSATILEHUB_CA_BUNDLE).",
    ),
    Rule(
        code="git_needs_login",
        pattern=r"could not read Username for '(?P<what>[^'\n]+)'|Authentication failed for '(?P<what2>[^'\n]+)'",
        message="A step asks {} for a repository that needs a login, and a build has none.",
        hint="Make it a submodule, which is fetched with the token you stored under “Git access”, or use a public copy.",
    ),
    Rule(
        code="git_over_ssh",
        pattern=r"Host key verification failed|Permission denied \(publickey|ssh: connect to host (?P<what>[^\s]+)",
        message="A step uses git over ssh with {}, and a build has no key.|A step uses git over ssh, and a build has no key.",
        hint="Use the https address of the repository.",
    ),
    Rule(
        code="index_unreachable",
        pattern=r"Retrying \(Retry\([^\n]*host='(?P<what>[^'\n]+)'|Failed to fetch: `?(?P<what2>https?://[^/\s`]+)",
        message="The package index {} could not be asked.|The package index could not be asked.",
        hint="Check its address if the repository sets one; else try again later, or ask an administrator for a mirror.",
    ),
    Rule(
        code="network",
        pattern=r"Could not resolve host:? '?(?P<what>[\w.-]+)|Temporary failure resolving '(?P<what2>[^'\n]+)'"
        r"|[Ff]ailed to connect to (?P<what3>[^\s:]+)|Could not connect to (?P<what4>[\w.-]+:\d+)"
        r"|getaddrinfo (?:ENOTFOUND|EAI_AGAIN) (?P<what5>[\w.-]+)|Temporary failure in name resolution"
        r"|Name or service not known|Network is unreachable|Failed to establish a new connection|Connection timed out",
        message="A step needed {}, which cannot be reached from here."
        "|A step needed a host on the network that cannot be reached from here.",
        hint="Try again later; on a closed site, ask an administrator for a mirror.",
    ),
    Rule(
        code="download_not_found",
        pattern=r"requested URL returned error: 40[34]|ERROR 40[34]: |HTTP Error 40[34]",
        message="A file that a step downloads is not there any more (HTTP 404 or 403).",
        hint="Open its address in a browser, and correct it in the step that failed.",
    ),
    Rule(
        code="checksum",
        pattern=r"(?<!\S)(?P<what>[^\s:]+): FAILED\n[^\n]*checksum|checksums? did NOT match|SHA256 mismatch|hash mismatch",
        message="The file “{}” is not the one its checksum was made of."
        "|A downloaded file is not the one its checksum was made of.",
        hint="It was changed on its host, or cut off: download it again, and renew the checksum if the change is right.",
    ),
    Rule(
        code="archive_damaged",
        pattern=r"not in gzip format|not a zip ?file|End-of-central-directory signature not found|does not look like a tar archive",
        message="A file that a step unpacks is no archive.",
        hint="Often the download was an error page: check its address, and let curl fail with `curl -fL`.",
    ),
)
