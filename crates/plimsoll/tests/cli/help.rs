//! Help, the version, and command lines that cannot be understood.

use insta::assert_snapshot;

use crate::context::Context;

#[test]
fn no_arguments() {
    let context = Context::new();
    assert_snapshot!(context.run(&[]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    Example: plimsoll up

    From an agent project's source tree to a running container stack

    Usage: plimsoll [OPTIONS] <COMMAND>

    Commands:
      inspect      Show what was found: services, needs, environment, evidence
      init         Write what was found into files that are yours to edit
      config       Print the resolved Compose model
      render       Write the files that others run the project by
      build        Build the images of all services, or of those named
      push         Push built images to a registry
      up           Build what is missing, start the stack, and follow it
      down         Stop the stack and remove what it made
      ps           List the stack's containers
      logs         Show what the services wrote
      exec         Run a command in a running container
      run          Run one service's image once, in the foreground
      images       List the images in the store
      sbom         Print the software bill of an image
      sign         Make a key, or sign images that were pushed
      verify       Tell what is signed about an image in a registry
      prune        Remove what no image needs from the store
      fsck         Check the store's content against its digests
      completions  Print a completion script for a shell

    Options:
      -C, --directory <DIR>          Directory of the project [default: .]
      -f, --file <FILE>              Compose file to read; repeat to merge several
          --project-directory <DIR>  Where relative paths in Compose files start, instead of the first
                                     file's directory
      -p, --project-name <NAME>      Name of the project
          --profile <NAME>           Profile to activate; repeat for several
          --env-file <FILE>          File of variables for interpolation, instead of `.env`; repeat for
                                     several
      -q, --quiet                    Say only what failed
      -v, --verbose...               Log what is done; twice: in detail
          --color <WHEN>             When to use colour: `auto`, `always` or `never` [default: auto]
          --dockerfile               Build by the Dockerfile wherever a service has one
          --json                     Print data as JSON
          --native                   Leave Dockerfiles aside: assemble images, or say why not
      -h, --help                     Print help
      -V, --version                  Print version

    Start with `plimsoll inspect`, then `plimsoll up`. No file has to be written first.
    ");
}

#[test]
fn the_version() {
    let context = Context::new();
    assert_snapshot!(context.run(&["--version"]), @r"
    exit code: 0
    ----- stdout -----
    plimsoll 0.1.0
    ----- stderr -----
    ");
}

#[test]
fn an_unknown_command() {
    let context = Context::new();
    assert_snapshot!(context.run(&["upp"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: unrecognized subcommand 'upp'

      tip: a similar subcommand exists: 'up'

    Usage: plimsoll [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
}

#[test]
fn an_unknown_flag() {
    let context = Context::new();
    assert_snapshot!(context.run(&["up", "--detached"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: unexpected argument '--detached' found

      tip: a similar argument exists: '--detach'

    Usage: plimsoll up --detach [SERVICES]...

    For more information, try '--help'.
    ");
}

#[test]
fn a_missing_argument() {
    let context = Context::new();
    assert_snapshot!(context.run(&["exec", "web"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: the following required arguments were not provided:
      <COMMAND>...

    Usage: plimsoll exec <SERVICE> <COMMAND>...

    For more information, try '--help'.
    ");
}

#[test]
fn flags_that_exclude_each_other() {
    let context = Context::new();
    assert_snapshot!(context.run(&["config", "--services", "--images"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: the argument '--services' cannot be used with '--images'

    Usage: plimsoll config --services [NAMES]...

    For more information, try '--help'.
    ");
    assert_snapshot!(context.run(&["--quiet", "--verbose", "ps"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: the argument '--quiet' cannot be used with '--verbose...'

    Usage: plimsoll --quiet <COMMAND>

    For more information, try '--help'.
    ");
}

#[test]
fn a_value_that_is_none() {
    let context = Context::new();
    assert_snapshot!(context.run(&["up", "--pull", "often"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'often' for '--pull <WHEN>'
      [possible values: always, missing, never]

    For more information, try '--help'.
    ");
    assert_snapshot!(context.run(&["up", "--bind", "everywhere"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'everywhere' for '--bind <ADDRESS>': invalid IP address syntax

    For more information, try '--help'.
    ");
}

#[test]
fn help_of_commands() {
    let context = Context::new();
    assert_snapshot!(context.run(&["up", "--help"]), @"
    exit code: 0
    ----- stdout -----
    Example: plimsoll up --detach

    Build what is missing, start the stack, and follow it

    Usage: plimsoll up [OPTIONS] [SERVICES]...

    Arguments:
      [SERVICES]...  Services to start, with what they depend on

    Options:
          --no-cache                Build everything anew, without what earlier builds left
          --pull <WHEN>             When to ask a registry for an image [default: missing] [possible
                                    values: always, missing, never]
          --locked                  Fail when `plimsoll.lock` would have to change
          --variant <NAME>          What images are for: `production`, `slim`, `dev`, `debug` or `test`;
                                    without it what `build.target` names, else `production`
          --local-bases             Assemble well-known images (PostgreSQL, Redis, nginx …) from Debian
                                    packages, build the project's own from its source, ask no registry
      -d, --detach                  Leave the stack running and return once it is up
      -w, --watch                   Bring changes of the source into the running stack: build again,
                                    copy, or restart
          --bind <ADDRESS>          Address on which ports are published that name none [default:
                                    127.0.0.1]
          --wait-timeout <SECONDS>  Longest time for the stack to become healthy, in seconds [default:
                                    300]
          --no-deps                 Do not start what the services named depend on
          --color <WHEN>            When to use colour: `auto`, `always` or `never` [default: auto]
          --dockerfile              Build by the Dockerfile wherever a service has one
          --json                    Print data as JSON
          --native                  Leave Dockerfiles aside: assemble images, or say why not
      -h, --help                    Print help
    ----- stderr -----
    ");
    assert_snapshot!(context.run(&["exec", "--help"]), @"
    exit code: 0
    ----- stdout -----
    Example: plimsoll exec backend python -c 'print(1)'

    Run a command in a running container

    Usage: plimsoll exec [OPTIONS] <SERVICE> <COMMAND>...

    Arguments:
      <SERVICE>     Service whose container it is
      <COMMAND>...  Program and arguments

    Options:
      -u, --user <USER>       User to run as, `user[:group]`
      -w, --workdir <DIR>     Directory to run in
      -e, --env <NAME=VALUE>  Set a variable, `NAME=VALUE`
      -T, --no-tty            Do not make a terminal
          --index <INDEX>     Which of the service's containers, from 1 [default: 1]
          --color <WHEN>      When to use colour: `auto`, `always` or `never` [default: auto]
          --dockerfile        Build by the Dockerfile wherever a service has one
          --json              Print data as JSON
          --native            Leave Dockerfiles aside: assemble images, or say why not
      -h, --help              Print help
    ----- stderr -----
    ");
    assert_snapshot!(context.run(&["fsck", "--help"]), @"
    exit code: 0
    ----- stdout -----
    Check the store's content against its digests

    Usage: plimsoll fsck [OPTIONS]

    Options:
          --color <WHEN>  When to use colour: `auto`, `always` or `never` [default: auto]
          --dockerfile    Build by the Dockerfile wherever a service has one
          --json          Print data as JSON
          --native        Leave Dockerfiles aside: assemble images, or say why not
      -h, --help          Print help
    ----- stderr -----
    ");
}

#[test]
fn help_of_commands_for_files_and_registries() {
    let context = Context::new();
    assert_snapshot!(context.run(&["config", "--help"]), @"
    exit code: 0
    ----- stdout -----
    Example: plimsoll config --services

    Print the resolved Compose model

    Usage: plimsoll config [OPTIONS] [NAMES]...

    Arguments:
      [NAMES]...  Services to print

    Options:
          --format <FORMAT>  Format of the whole model [default: yaml] [possible values: yaml, json]
          --services         Print only service names
          --images           Print only image names
          --profiles         Print only profile names
          --volumes          Print only volume names
          --networks         Print only network names
          --variables        Print the variables that the files use
          --hash <SERVICE>   Print the hash of each service's configuration (`*`: all)
          --no-interpolate   Leave variables as they are written
      -q, --quiet            Only check; print nothing
          --color <WHEN>     When to use colour: `auto`, `always` or `never` [default: auto]
          --dockerfile       Build by the Dockerfile wherever a service has one
          --json             Print data as JSON
          --native           Leave Dockerfiles aside: assemble images, or say why not
      -h, --help             Print help
    ----- stderr -----
    ");
    assert_snapshot!(context.run(&["render", "--help"]), @"
    exit code: 0
    ----- stdout -----
    Example: plimsoll render docs -o deploy --check

    Write the files that others run the project by

    Usage: plimsoll render [OPTIONS] <TARGET>...

    Arguments:
      <TARGET>...  What to render [possible values: all, dockerfile, compose, kubernetes, helm, ci,
                   cloud, monitoring, docs]

    Options:
      -o, --output <DIR>       Directory to write to (default: the project's)
          --env <NAME>         Environment to render for [default: prod] [possible values: dev, staging,
                               prod]
          --registry <PREFIX>  Where images are published, without the services' names
          --check              Only tell which files are out of date; exit 1 when any is
          --diff               Only show what would change
          --force              Overwrite files that were edited or never rendered
          --strict             Fail when something of the model cannot be said
          --losses             Tell each thing that is said otherwise, with its place, instead of like
                               things together
          --color <WHEN>       When to use colour: `auto`, `always` or `never` [default: auto]
          --dockerfile         Build by the Dockerfile wherever a service has one
          --json               Print data as JSON
          --native             Leave Dockerfiles aside: assemble images, or say why not
      -h, --help               Print help

    Clusters:
          --images <FILE>     Name images by the digests that `push --json` told, in FILE or (`-`) on
                              standard input
          --ingress           Let requests into a cluster by an Ingress instead of the Gateway API
          --secrets <SOURCE>  Where staging and production get values of secrets [default: external]
                              [possible values: external, sealed, sops, plain]
          --mesh <NAME>       Encrypt what pods say to one another by a service mesh [possible values:
                              istio, linkerd]
          --pod-monitors      Tell Prometheus of metrics by PodMonitors instead of annotations
    ----- stderr -----
    ");
    assert_snapshot!(context.run(&["push", "--help"]), @"
    exit code: 0
    ----- stdout -----
    Example: plimsoll push --to registry.example/team --tag-rule semver,sha

    Push built images to a registry

    Usage: plimsoll push [OPTIONS] [SERVICES]...

    Arguments:
      [SERVICES]...  Services whose images are pushed

    Options:
          --to <REGISTRY/PREFIX>  Registry and path below which each service gets a repository
          --tag <TAG>             Tag to set; repeat for several
          --tag-rule <RULE>       Rule that gives tags: `semver`, `branch`, `pr`, `sha`, `component`
          --compression <CODEC>   How layers are compressed: `gzip` or `zstd` [default: gzip]
          --sbom[=<FORMAT>]       Attach a software bill: `cyclonedx` or `spdx`
          --provenance            Attach where the image comes from, as SLSA provenance
          --sign <KEY>            Sign the image and what is attached with this key
          --variant <NAME>        Variant of the images; without it what `build.target` names, else
                                  `production`
          --color <WHEN>          When to use colour: `auto`, `always` or `never` [default: auto]
          --dockerfile            Build by the Dockerfile wherever a service has one
          --json                  Print data as JSON
          --native                Leave Dockerfiles aside: assemble images, or say why not
      -h, --help                  Print help
    ----- stderr -----
    ");
    assert_snapshot!(context.run(&["sbom", "--help"]), @"
    exit code: 0
    ----- stdout -----
    Example: plimsoll sbom backend --format spdx

    Print the software bill of an image

    Usage: plimsoll sbom [OPTIONS] [SERVICE|IMAGE]

    Arguments:
      [SERVICE|IMAGE]  Service, or image of the store

    Options:
          --format <FORMAT>  Format of the bill [default: cyclonedx] [possible values: cyclonedx, spdx]
          --color <WHEN>     When to use colour: `auto`, `always` or `never` [default: auto]
          --dockerfile       Build by the Dockerfile wherever a service has one
          --json             Print data as JSON
          --native           Leave Dockerfiles aside: assemble images, or say why not
      -h, --help             Print help
    ----- stderr -----
    ");
    assert_snapshot!(context.run(&["sign", "--help"]), @"
    exit code: 0
    ----- stdout -----
    Example: plimsoll sign --key plimsoll.key registry.example/desk:1.0

    Make a key, or sign images that were pushed

    Usage: plimsoll sign [OPTIONS] [SERVICE|IMAGE]...

    Arguments:
      [SERVICE|IMAGE]...  Services, or images of the store, that were pushed

    Options:
          --generate-key  Make `plimsoll.key` and `plimsoll.pub` in the project's directory
          --key <FILE>    Private key: PEM, or as cosign seals it
          --color <WHEN>  When to use colour: `auto`, `always` or `never` [default: auto]
          --dockerfile    Build by the Dockerfile wherever a service has one
          --json          Print data as JSON
          --native        Leave Dockerfiles aside: assemble images, or say why not
      -h, --help          Print help
    ----- stderr -----
    ");
    assert_snapshot!(context.run(&["verify", "--help"]), @"
    exit code: 0
    ----- stdout -----
    Example: plimsoll verify --key plimsoll.pub registry.example/desk:1.0

    Tell what is signed about an image in a registry

    Usage: plimsoll verify [OPTIONS] --key <FILE> <IMAGE>

    Arguments:
      <IMAGE>  Image in a registry

    Options:
          --key <FILE>    Public key, as PEM
          --color <WHEN>  When to use colour: `auto`, `always` or `never` [default: auto]
          --dockerfile    Build by the Dockerfile wherever a service has one
          --json          Print data as JSON
          --native        Leave Dockerfiles aside: assemble images, or say why not
      -h, --help          Print help
    ----- stderr -----
    ");
}

#[test]
fn help_fits_a_screen() {
    let context = Context::new();
    let help = context.run(&["--help"]);
    let (_, rest) = help.split_once("Commands:\n").unwrap();
    let commands = rest.lines().take_while(|line| !line.is_empty());
    for command in commands.map(|line| line.split_whitespace().next().unwrap()) {
        let long = context.run(&[command, "--help"]);
        let lines = long.lines().count();
        assert!(lines <= 45, "`{command} --help` has {lines} lines");
        assert_eq!(long, context.run(&[command, "-h"]));
    }
    assert!(help.lines().count() <= 50);
}
