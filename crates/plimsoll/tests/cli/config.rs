//! The resolved Compose model and its parts.

use insta::assert_snapshot;

use crate::context::Context;

#[test]
fn as_yaml() {
    let context = Context::with_compose_file();
    assert_snapshot!(context.run(&["config"]), @r"
    exit code: 0
    ----- stdout -----
    name: desk
    services:
      db:
        environment:
          POSTGRES_PASSWORD: desk
        image: postgres:16
        networks:
          default: null
        volumes:
          - type: volume
            source: data
            target: /var/lib/postgresql/data
            volume: {}
    networks:
      default:
        name: desk_default
    volumes:
      data:
        name: desk_data
    ----- stderr -----
    ");
}

#[test]
fn as_json() {
    let context = Context::with_compose_file();
    assert_snapshot!(context.run(&["config", "--format", "json"]), @r#"
    exit code: 0
    ----- stdout -----
    {
      "name": "desk",
      "networks": {
        "default": {
          "name": "desk_default",
          "ipam": {}
        }
      },
      "services": {
        "db": {
          "command": null,
          "entrypoint": null,
          "environment": {
            "POSTGRES_PASSWORD": "desk"
          },
          "image": "postgres:16",
          "networks": {
            "default": null
          },
          "volumes": [
            {
              "type": "volume",
              "source": "data",
              "target": "/var/lib/postgresql/data",
              "volume": {}
            }
          ]
        }
      },
      "volumes": {
        "data": {
          "name": "desk_data"
        }
      }
    }
    ----- stderr -----
    "#);
}

#[test]
fn services() {
    let context = Context::with_compose_file();
    assert_snapshot!(context.run(&["config", "--services"]), @r"
    exit code: 0
    ----- stdout -----
    db
    ----- stderr -----
    ");
    assert_snapshot!(context.run(&["--profile", "front", "config", "--services"]), @r"
    exit code: 0
    ----- stdout -----
    db
    web
    ----- stderr -----
    ");
    assert_snapshot!(context.run(&["--json", "config", "--services"]), @r#"
    exit code: 0
    ----- stdout -----
    {
      "schema": 1,
      "names": [
        "db"
      ]
    }
    ----- stderr -----
    "#);
}

#[test]
fn images() {
    let context = Context::with_compose_file();
    assert_snapshot!(context.run(&["--profile", "*", "config", "--images"]), @r"
    exit code: 0
    ----- stdout -----
    postgres:16
    nginx:1.27
    ----- stderr -----
    ");
}

#[test]
fn other_names() {
    let context = Context::with_compose_file();
    assert_snapshot!(context.run(&["config", "--volumes"]), @r"
    exit code: 0
    ----- stdout -----
    data
    ----- stderr -----
    ");
    assert_snapshot!(context.run(&["config", "--networks"]), @r"
    exit code: 0
    ----- stdout -----
    default
    ----- stderr -----
    ");
    assert_snapshot!(context.run(&["config", "--profiles"]), @r"
    exit code: 0
    ----- stdout -----
    front
    ----- stderr -----
    ");
}

#[test]
fn hashes() {
    let context = Context::with_compose_file();
    assert_snapshot!(context.run(&["config", "--hash", "*"]), @r"
    exit code: 0
    ----- stdout -----
    db 89477fa164482004c40673fb0b479249ab7f94585d5bfef91e5f06698f4a5b9c
    ----- stderr -----
    ");
    assert_snapshot!(context.run(&["config", "--hash", "cache"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: no service `cache` is active
    hint: active: db
    ");
}

#[test]
fn variables() {
    let context = Context::with_compose_file();
    assert_snapshot!(context.run(&["config", "--variables"]), @r"
    exit code: 0
    ----- stdout -----
    NAME      REQUIRED  DEFAULT VALUE  ALTERNATE VALUE
    PASSWORD  false     desk
    ----- stderr -----
    ");
    assert_snapshot!(context.run(&["--json", "config", "--variables"]), @r#"
    exit code: 0
    ----- stdout -----
    {
      "schema": 1,
      "variables": [
        {
          "name": "PASSWORD",
          "required": false,
          "default": "desk",
          "alternative": ""
        }
      ]
    }
    ----- stderr -----
    "#);
}

#[test]
fn variables_left_as_written() {
    let context = Context::with_compose_file();
    assert_snapshot!(context.run(&["config", "--no-interpolate"]), @r#"
    exit code: 0
    ----- stdout -----
    name: desk
    networks:
      default:
        name: desk_default
    services:
      db:
        environment:
          POSTGRES_PASSWORD: ${PASSWORD:-desk}
        image: postgres:16
        networks:
          default: null
        volumes:
          - source: data
            target: /var/lib/postgresql/data
            type: volume
            volume: {}
      web:
        depends_on:
          db:
            condition: service_started
            required: true
        image: nginx:1.27
        networks:
          default: null
        ports:
          - mode: ingress
            protocol: tcp
            published: "8000"
            target: 80
        profiles:
          - front
    volumes:
      data:
        name: desk_data
    ----- stderr -----
    "#);
}

#[test]
fn only_checked() {
    let context = Context::with_compose_file();
    assert_snapshot!(context.run(&["config", "--quiet"]), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    ");
}

#[test]
fn a_service_that_does_not_exist() {
    let context = Context::with_compose_file();
    assert_snapshot!(context.run(&["config", "dbb"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: there is no service `dbb`
    hint: did you mean `db`?
    ");
}

#[test]
fn no_compose_file() {
    let context = Context::new();
    assert_snapshot!(context.run(&["config"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: there is no Compose file in `[ROOT]/desk`
    hint: `plimsoll inspect` shows what the source tells without one
    ");
}

#[test]
fn files_that_do_not_exist() {
    let context = Context::with_compose_file();
    assert_snapshot!(context.run(&["-f", "other.yaml", "config"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: other.yaml: no such file
    hint: `-f FILE` names a Compose file
    ");
    assert_snapshot!(context.run(&["-f", ".", "config"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: [ROOT]/desk: not a file
    hint: `-f FILE` names a Compose file
    ");
    assert_snapshot!(context.run(&["--env-file", "prod.env", "config"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: prod.env: no such file
    hint: check `--env-file`, COMPOSE_ENV_FILES or `env_file` of an `include`
    ");
}

#[test]
fn a_name_that_is_none() {
    let context = Context::with_compose_file();
    assert_snapshot!(context.run(&["-p", "../desk", "config"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `../desk` is no project name
    hint: use small letters, digits, `-` and `_`, and begin with a letter or digit
    ");
    assert_snapshot!(context.run(&["-p", "../desk", "ps"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `../desk` is no project name
    hint: use small letters, digits, `-` and `_`, and begin with a letter or digit
    ");
}

#[test]
fn a_file_from_standard_input() {
    let context = Context::new();
    let file = "services:\n  web:\n    image: nginx:1.27\n    volumes: [./site:/site]\n";
    assert_snapshot!(context.run_with_input(&["-f", "-", "config"], file), @"
    exit code: 0
    ----- stdout -----
    name: desk
    services:
      web:
        image: nginx:1.27
        networks:
          default: null
        volumes:
          - type: bind
            source: [ROOT]/desk/site
            target: /site
            bind:
              create_host_path: true
    networks:
      default:
        name: desk_default
    ----- stderr -----
    ");
    // Beside a file, in the order of the command line.
    context.write("more.yaml", "services:\n  web:\n    image: nginx:1.28\n");
    let images = ["-f", "-", "-f", "more.yaml", "config", "--images"];
    assert_snapshot!(context.run_with_input(&images, file), @"
    exit code: 0
    ----- stdout -----
    nginx:1.28
    ----- stderr -----
    ");
    let wrong = "services:\n  web:\n    imgae: nginx\n";
    assert_snapshot!(context.run_with_input(&["-f", "-", "config"], wrong), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `imgae` is no key of `services.web`
      --> -:3:5
    hint: did you mean `image`?
    ");
    assert_snapshot!(context.run_with_input(&["-f", "-", "config"], ""), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: -: the file is empty
    hint: a Compose file has at least `services:`
    ");
}

#[test]
fn files_elsewhere() {
    let context = Context::new();
    context.write(
        "compose.yaml",
        "include:\n  - https://example.com/stack.git#main:compose.yaml\n  - oci://registry.example/stack:1\nservices:\n  web:\n    extends: { file: \"https://example.com/base.yaml\", service: web }\n",
    );
    assert_snapshot!(context.run(&["config"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `https://example.com/stack.git#main:compose.yaml` is in a repository, from which nothing is fetched
      --> compose.yaml:2:5
       |
     2 |   - https://example.com/stack.git#main:compose.yaml
       |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    hint: put the file beside this one, by hand or as a submodule, and name its path
    ");
    let named = ["-f", "oci://registry.example/stack:1", "config"];
    assert_snapshot!(context.run(&named), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `oci://registry.example/stack:1` is in a registry, from which nothing is fetched
    hint: fetch the Compose file first, then name it with `-f FILE`, or give it as `-f -`
    ");
}

#[test]
fn names_need_no_environment_file() {
    let context = Context::new();
    context.write(
        "compose.yaml",
        "services:\n  web:\n    image: nginx:1.27\n    env_file: [secret.env]\n",
    );
    assert_snapshot!(context.run(&["config"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: environment file [ROOT]/desk/secret.env does not exist
      --> compose.yaml:4:16
       |
     4 |     env_file: [secret.env]
       |                ^^^^^^^^^^
    hint: create it, or write `required: false` beside its `path`
    ");
    assert_snapshot!(context.run(&["config", "--images"]), @"
    exit code: 0
    ----- stdout -----
    nginx:1.27
    ----- stderr -----
    ");
    let before = context.run(&["config", "--hash", "*"]);
    context.write("secret.env", "WORD=hush\n");
    assert_eq!(context.run(&["config", "--hash", "web"]), before);
}

#[test]
fn nothing_is_looked_up_where_variables_are_kept() {
    let context = Context::new();
    context.write(".env", "TZ=Asia/Tokyo\n");
    context.write(
        "compose.yaml",
        "name: ${NAME}\nservices:\n  web:\n    image: nginx\n    environment: [TZ]\n  other:\n    image: nginx\n    environment: { TZ: }\n",
    );
    assert_snapshot!(context.run(&["config", "--no-interpolate"]), @"
    exit code: 0
    ----- stdout -----
    name: name
    networks:
      default:
        name: name_default
    services:
      other:
        environment:
          TZ: null
        image: nginx
        networks:
          default: null
      web:
        environment:
          - TZ
        image: nginx
        networks:
          default: null
    ----- stderr -----
    ");
}

#[test]
fn a_compose_file_that_only_the_variables_name() {
    let context = Context::new();
    context.write("stack.yaml", "services: {web: {image: nginx}}\n");
    context.write(".env", "COMPOSE_FILE=stack.yaml\n");
    assert_snapshot!(context.run(&["config", "--services"]), @"
    exit code: 0
    ----- stdout -----
    web
    ----- stderr -----
    ");
}

#[test]
fn a_compose_file_above() {
    let context = Context::with_compose_file();
    context.write("web/main.py", "print(1)\n");
    assert_snapshot!(context.run(&["-C", "web", "config"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: there is no Compose file in `[ROOT]/desk/web`
    hint: there is one above: `plimsoll -C [ROOT]/desk config`
    ");
}

#[test]
fn relative_paths_start_where_the_command_line_says() {
    let context = Context::new();
    context.write("web/main.py", "print(1)\n");
    context.write(
        "deploy/compose.yaml",
        "services: {web: {build: ., volumes: ['./main.py:/main.py']}}\n",
    );
    assert_snapshot!(
        context.run(&["-f", "deploy/compose.yaml", "--project-directory", "web", "config"]),
        @"
    exit code: 0
    ----- stdout -----
    name: web
    services:
      web:
        build:
          context: [ROOT]/desk/web
          dockerfile: Dockerfile
        networks:
          default: null
        volumes:
          - type: bind
            source: [ROOT]/desk/web/main.py
            target: /main.py
            bind:
              create_host_path: true
    networks:
      default:
        name: web_default
    ----- stderr -----
    "
    );
    assert_snapshot!(context.run(&["--project-directory", "nowhere", "config"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `nowhere`: no such directory
    hint: `--project-directory DIR` says where relative paths start
    ");
}

#[test]
fn an_empty_project_name_names_nothing() {
    let context = Context::with_compose_file();
    assert_snapshot!(context.run(&["-p", "", "config", "--networks"]), @"
    exit code: 0
    ----- stdout -----
    default
    ----- stderr -----
    ");
}
