//! Go programs that speak in one of several ways, that only somebody starts by hand, and whose settings are filled in one
//! place and asked for in another.

use crate::tree::{found, lines, required};

const MODULE: (&str, &str) = ("go.mod", "module example.com/desk\n\ngo 1.24\n");

/// A program with these imports and this body.
fn program(imports: &[&str], body: &str) -> String {
    let imports: String = imports
        .iter()
        .map(|import| format!("\t\"{import}\"\n"))
        .collect();
    format!("package main\n\nimport (\n{imports})\n\n{body}\n")
}

const SERVERS: &str = "func quiet() error { return server.ServeStdio(made) }\n\nfunc loud() error { return server.NewStreamableHTTPServer(made).Start(\":8080\") }\n";

#[test]
fn a_server_that_speaks_over_its_standard_input_unless_a_subcommand_is_given() {
    let main = program(
        &[
            "github.com/mark3labs/mcp-go/server",
            "github.com/spf13/cobra",
        ],
        &format!(
            "var rootCmd = &cobra.Command{{Use: \"desk\", Run: func(*cobra.Command, []string) {{ quiet() }}}}\n\nvar httpCmd = &cobra.Command{{Use: \"http\", Run: func(*cobra.Command, []string) {{ loud() }}}}\n\n{SERVERS}\nfunc main() {{\n\trootCmd.AddCommand(httpCmd)\n\trootCmd.Execute()\n}}"
        ),
    );
    let with = |last: &str| {
        let image = format!(
            "FROM golang:1.24\nRUN go build -o /desk .\nFROM scratch\nCOPY --from=0 /desk /desk\n{last}\n"
        );
        lines(&found(&[
            MODULE,
            ("main.go", main.as_str()),
            ("Dockerfile", image.as_str()),
        ]))
    };
    assert_eq!(
        with("ENTRYPOINT [\"/desk\"]"),
        ["mcp-stdio /usr/local/bin/desk []"]
    );
    assert_eq!(
        with("ENTRYPOINT [\"/desk\", \"http\"]"),
        ["mcp-http /usr/local/bin/desk http [8080]"]
    );
}

#[test]
fn a_flag_or_a_branch_leaves_a_server_at_its_standard_input() {
    for (body, wanted) in [
        (
            "func main() {\n\tover := flag.Bool(\"http\", false, \"\")\n\tflag.Parse()\n\tif *over {\n\t\tloud()\n\t} else {\n\t\tquiet()\n\t}\n}",
            "mcp-stdio /usr/local/bin/desk []",
        ),
        (
            "func main() {\n\tif os.Getenv(\"DESK_MODE\") == \"http\" {\n\t\tloud()\n\t} else {\n\t\tserver.ServeStdio(made)\n\t}\n}",
            "mcp-stdio /usr/local/bin/desk []",
        ),
        (
            "func main() {\n\tswitch os.Getenv(\"DESK_TRANSPORT\") {\n\tcase \"http\":\n\t\tloud()\n\tdefault:\n\t\tserver.ServeStdio(made)\n\t}\n}",
            "mcp-stdio /usr/local/bin/desk []",
        ),
        (
            "func main() {\n\tif os.Getenv(\"DESK_MODE\") == \"local\" {\n\t\tquiet()\n\t} else {\n\t\tloud()\n\t}\n}",
            "mcp-http /usr/local/bin/desk [8080]",
        ),
    ] {
        let imports = ["flag", "os", "github.com/mark3labs/mcp-go/server"];
        let main = program(&imports, &format!("{SERVERS}\n{body}"));
        let found = lines(&found(&[MODULE, ("main.go", main.as_str())]));
        assert_eq!(found, [wanted], "{body}");
    }
}

#[test]
fn what_is_started_by_hand_with_something_to_work_on_is_no_worker() {
    let with = |first: &str, image: &str| {
        let main = format!(
            "func main() {{\n{first}\n\tctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)\n\tdefer stop()\n\tfor range time.NewTicker(time.Second).C {{\n\t\task(ctx)\n\t}}\n}}"
        );
        let main = program(&["context", "flag", "os", "os/signal", "time"], &main);
        lines(&found(&[
            MODULE,
            ("main.go", main.as_str()),
            ("Dockerfile", image),
        ]))
    };
    let by_hand = "\tif flag.NArg() != 1 {\n\t\tos.Exit(2)\n\t}";
    let image = "FROM golang:1.24\nRUN go build -o /desk .\nENTRYPOINT [\"/desk\"]\n";
    let other = image.replace("ENTRYPOINT [\"/desk\"]", "CMD [\"/other\"]");
    let worker = ["worker /usr/local/bin/desk []"];
    assert_eq!(with("", &other), worker);
    assert_eq!(with(by_hand, &other), [""; 0]);
    assert_eq!(with(by_hand, image), worker);
}

#[test]
fn a_setting_that_another_package_asks_for() {
    let main = program(
        &["log", "net/http", "example.com/desk/settings"],
        "func main() {\n\tcfg := settings.Load()\n\tif len(cfg.Auth.Secret) < 32 {\n\t\tlog.Fatal(\"too short\")\n\t}\n\tif cfg.Token == \"\" || cfg.Level == \"\" {\n\t\tlog.Fatal(\"missing\")\n\t}\n\thttp.ListenAndServe(\":8080\", nil)\n}",
    );
    let settings = "package settings\n\nimport \"os\"\n\nfunc Load() *Settings {\n\tcfg := &Settings{\n\t\tAuth: Auth{Secret: os.Getenv(\"AUTH_SECRET\")},\n\t\tMail: Mail{Secret: os.Getenv(\"MAIL_SECRET\")},\n\t\tLevel: getEnv(\"LEVEL\", \"info\"),\n\t}\n\tcfg.Token = os.Getenv(\"TOKEN\")\n\tdial(Client{Level: os.Getenv(\"CLIENT_LEVEL\")})\n\treturn cfg\n}\n";
    let files = [
        MODULE,
        ("main.go", main.as_str()),
        ("settings/settings.go", settings),
    ];
    assert_eq!(required(&found(&files)), ["AUTH_SECRET", "TOKEN"]);
    let by_flag = program(
        &["flag", "log", "net/http", "os"],
        "func main() {\n\ttoken := flag.String(\"token\", os.Getenv(\"TOKEN\"), \"\")\n\tvar key string\n\tflag.StringVar(&key, \"key\", os.Getenv(\"KEY\"), \"\")\n\tflag.Parse()\n\tif *token == \"\" || key == \"\" {\n\t\tlog.Fatal(\"missing\")\n\t}\n\thttp.ListenAndServe(\":8080\", nil)\n}",
    );
    let files = [MODULE, ("main.go", by_flag.as_str())];
    assert_eq!(required(&found(&files)), ["KEY", "TOKEN"]);
}

#[test]
fn the_plain_name_of_a_port_comes_before_that_of_a_part() {
    let main = program(
        &["flag", "net/http"],
        "func main() {\n\taddr := flag.String(\"addr\", \":4015\", \"\")\n\tboard := flag.String(\"board-addr\", \"127.0.0.1:4011\", \"\")\n\tflag.Parse()\n\tgo http.ListenAndServe(*board, nil)\n\thttp.ListenAndServe(*addr, nil)\n}",
    );
    let files = [MODULE, ("main.go", main.as_str())];
    assert_eq!(lines(&found(&files)), ["web /usr/local/bin/desk [4015]"]);
}

#[test]
fn frameworks_whose_settings_say_where_they_listen() {
    let zero = program(
        &["flag", "github.com/zeromicro/go-zero/rest"],
        "var file = flag.String(\"f\", \"etc/desk.yaml\", \"\")\n\nfunc main() {\n\tserver := rest.MustNewServer(load(*file))\n\tserver.Start()\n}",
    );
    let settings = ("etc/desk.yaml", "Name: desk\nHost: 0.0.0.0\nPort: 8889\n");
    let files = [MODULE, ("main.go", zero.as_str()), settings];
    assert_eq!(lines(&found(&files)), ["web /usr/local/bin/desk [8889]"]);
    let calls = zero.replace("rest", "zrpc");
    let settings = ("etc/desk.yaml", "ListenOn: 0.0.0.0:9009\n");
    let files = [MODULE, ("main.go", calls.as_str()), settings];
    assert_eq!(lines(&found(&files)), ["web /usr/local/bin/desk [9009]"]);
    let hertz = program(
        &["github.com/cloudwego/hertz/pkg/app/server"],
        "func main() {\n\tmade := server.Default()\n\tmade.Spin()\n}",
    );
    let files = [MODULE, ("main.go", hertz.as_str())];
    assert_eq!(lines(&found(&files)), ["web /usr/local/bin/desk [8888]"]);
}

#[test]
fn a_constant_that_is_called_an_address_says_the_port() {
    let main = program(
        &["net/http", "example.com/desk/settings"],
        "func main() {\n\tserver := &http.Server{Addr: settings.Address()}\n\tserver.ListenAndServe()\n}",
    );
    let settings = "package settings\n\nconst DefaultHTTPAddress = \":8081\"\n\nfunc Address() string { return DefaultHTTPAddress }\n";
    let files = [
        MODULE,
        ("main.go", main.as_str()),
        ("settings/settings.go", settings),
    ];
    assert_eq!(lines(&found(&files)), ["web /usr/local/bin/desk [8081]"]);
}

#[test]
fn an_example_of_the_environment_gives_a_port_that_the_code_does_not() {
    let main = program(
        &["net/http", "os"],
        "func main() {\n\thttp.ListenAndServe(\":\"+os.Getenv(\"PORT\"), nil)\n}",
    );
    let example = (".env.example", "PORT=8087\n");
    let detection = found(&[MODULE, ("main.go", main.as_str()), example]);
    assert_eq!(lines(&detection), ["web /usr/local/bin/desk [8087]"]);
    let recipe = detection.services[0].recipe.as_ref().unwrap();
    let told = ("PORT".to_owned(), "8087".to_owned());
    assert_eq!(recipe.environment, [told]);
}

#[test]
fn a_program_of_many_commands_beside_a_server_is_for_the_command_line() {
    let server = program(
        &["net/http"],
        "func main() { http.ListenAndServe(\":8080\", nil) }",
    );
    let commands: String = ["run", "init", "list", "show", "send"]
        .iter()
        .map(|name| format!("\t{{Use: \"{name}\", Run: act}},\n"))
        .collect();
    let commands = commands.replace("\t{", "\t&cobra.Command{");
    let other = program(
        &["net/http", "github.com/spf13/cobra"],
        &format!(
            "var all = []*cobra.Command{{\n{commands}}}\n\nfunc act(*cobra.Command, []string) {{ http.ListenAndServe(\":8090\", nil) }}\n\nfunc main() {{ start(all) }}"
        ),
    );
    let image =
        "FROM golang:1.24\nRUN go build -o /server ./cmd/server\nENTRYPOINT [\"/server\"]\n";
    let with = |image: &str| {
        lines(&found(&[
            MODULE,
            ("cmd/server/main.go", server.as_str()),
            ("cmd/desk/main.go", other.as_str()),
            ("Dockerfile", image),
        ]))
    };
    assert_eq!(with(image), ["web /usr/local/bin/server [8080]"]);
    assert_eq!(with("FROM scratch\n").len(), 2);
}
