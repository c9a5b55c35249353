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
