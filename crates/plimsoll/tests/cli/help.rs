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
      -C, --directory <DIR>      Directory of the project [default: .]
      -f, --file <FILE>          Compose file to read; repeat to merge several
      -p, --project-name <NAME>  Name of the project
          --profile <NAME>       Profile to activate; repeat for several
          --env-file <FILE>      File of variables for interpolation, instead of `.env`; repeat for
                                 several
      -q, --quiet                Say only what failed
      -v, --verbose...           Log what is done; twice: in detail
          --color <WHEN>         When to use colour: `auto`, `always` or `never` [default: auto]
          --dockerfile           Build by the Dockerfile wherever a service has one
          --json                 Print data as JSON
          --native               Leave Dockerfiles aside: assemble images, or say why not
      -h, --help                 Print help
      -V, --version              Print version

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
          --variant <NAME>          What images are for: `production`, `slim`, `dev`, `debug` or `test`
                                    [default: production]
          --local-bases             Assemble well-known images (PostgreSQL, Redis, nginx …) from Debian
                                    packages, ask no registry
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
fn help_fits_a_screen() {
    let context = Context::new();
    let help = context.run(&["--help"]);
    let (_, rest) = help.split_once("Commands:\n").unwrap();
    let commands = rest.lines().take_while(|line| !line.is_empty());
    for command in commands.map(|line| line.split_whitespace().next().unwrap()) {
        let long = context.run(&[command, "--help"]);
        let lines = long.lines().count();
        assert!(lines <= 40, "`{command} --help` has {lines} lines");
        assert_eq!(long, context.run(&[command, "-h"]));
    }
    assert!(help.lines().count() <= 50);
}
