//! Ports of Go programs: of settings files, of images, of servers that a package of the program's own wraps.

use crate::tree::{found, lines, required};

const MODULE: (&str, &str) = ("go.mod", "module example.com/a\n\ngo 1.24\n");

/// A server of gin on what `listens` says.
fn gin(head: &str, listens: &str) -> String {
    format!(
        "package main\n\nimport (\n\t\"github.com/gin-gonic/gin\"\n{head})\n\nfunc main() {{\n\trouter := gin.Default()\n\trouter.GET(\"/x\", nil)\n{listens}\n}}\n"
    )
}

#[test]
fn a_wrapped_server_says_its_port_and_not_the_framework() {
    let main = "package main\n\nimport (\n\t\"example.com/a/web\"\n\t\"github.com/gin-gonic/gin\"\n)\n\nfunc main() {\n\tgin.SetMode(gin.ReleaseMode)\n\tserver := web.New()\n\tserver.Run()\n}\n";
    let web = "package web\n\nimport \"net/http\"\n\ntype Server struct{ inner *http.Server }\n\nfunc New() *Server {\n\treturn &Server{inner: &http.Server{Addr: \":8001\"}}\n}\n\nfunc (s *Server) Run() {\n\ts.inner.ListenAndServe()\n}\n";
    let files = [MODULE, ("main.go", main), ("web/web.go", web)];
    assert_eq!(lines(&found(&files)), ["web /usr/local/bin/a [8001]"]);
    let alone = gin("", "\trouter.Run()");
    let files = [MODULE, ("main.go", alone.as_str())];
    assert_eq!(lines(&found(&files)), ["web /usr/local/bin/a [8080]"]);
}

#[test]
fn a_settings_file_says_the_port() {
    let main = gin(
        "\t\"fmt\"\n\t\"github.com/spf13/viper\"\n",
        "\tviper.SetConfigName(\"config\")\n\tviper.ReadInConfig()\n\trouter.Run(fmt.Sprintf(\":%d\", viper.GetInt(\"server.port\")))",
    );
    let settings = "redis:\n  port: 6379\nserver:\n  port: 8085\n";
    for file in ["config/config.yaml", "config.example.yaml"] {
        let files = [MODULE, ("main.go", main.as_str()), (file, settings)];
        assert_eq!(
            lines(&found(&files)),
            ["web /usr/local/bin/a [8085]"],
            "{file}"
        );
    }
    // What the program says itself outweighs what is only an example.
    let stated = main.replace(
        "viper.ReadInConfig()",
        "viper.SetDefault(\"server.port\", 9000)",
    );
    let files = [
        MODULE,
        ("main.go", stated.as_str()),
        ("config.example.yaml", settings),
    ];
    assert_eq!(lines(&found(&files)), ["web /usr/local/bin/a [9000]"]);
}

#[test]
fn a_helper_gives_a_setting_with_a_default() {
    let main = gin(
        "\t\"fmt\"\n",
        "\trouter.Run(fmt.Sprintf(\":%d\", getViperIntValue(\"HTTP_PORT\", 9000)))",
    );
    let files = [MODULE, ("main.go", main.as_str())];
    let detection = found(&files);
    assert_eq!(lines(&detection), ["web /usr/local/bin/a [9000]"]);
    assert_eq!(detection.environment[0].name, "HTTP_PORT");
}

#[test]
fn each_stage_of_an_image_starts_its_own_program() {
    let main = gin("\t\"os\"\n", "\trouter.Run(os.Getenv(\"ADDRESS\"))");
    let image = "FROM golang:1.24 AS builder\nCOPY . .\nRUN go build -o /out/gateway ./cmd/gateway && go build -o /out/console ./cmd/console\nFROM alpine AS gateway\nEXPOSE 8080\nENTRYPOINT [\"/app/gateway\"]\nCMD [\"-config\", \"/etc/gateway.yaml\"]\nFROM alpine AS console\nEXPOSE 8081\nENTRYPOINT [\"/app/console\"]\nCMD [\"-config\", \"/etc/console.yaml\"]\n";
    let files = [
        MODULE,
        ("cmd/gateway/main.go", main.as_str()),
        ("cmd/console/main.go", main.as_str()),
        ("Dockerfile", image),
    ];
    assert_eq!(
        lines(&found(&files)),
        [
            "web /usr/local/bin/console -config /etc/console.yaml [8081]",
            "web /usr/local/bin/gateway -config /etc/gateway.yaml [8080]"
        ]
    );
}

#[test]
fn what_stands_before_a_program_is_no_argument_of_it() {
    let main = gin("\t\"os\"\n", "\trouter.Run(os.Getenv(\"ADDRESS\"))");
    let image = "FROM golang:1.24\nRUN go build -o /bin/a .\nEXPOSE 8001\nENTRYPOINT [\"/init\"]\nCMD [\"/bin/a\", \"-m\", \"production\"]\n";
    let files = [MODULE, ("main.go", main.as_str()), ("Dockerfile", image)];
    assert_eq!(
        lines(&found(&files)),
        ["web /usr/local/bin/a -m production [8001]"]
    );
}

#[test]
fn an_image_that_make_builds_says_the_port_as_well() {
    let main = gin("\t\"os\"\n", "\trouter.Run(os.Getenv(\"ADDRESS\"))");
    let image = "FROM golang:1.24 AS builder\nRUN make build\nFROM alpine\nENTRYPOINT [\"/app/served\"]\nCMD [\"--port\", \"8090\"]\n";
    for file in ["Dockerfile", "build/Dockerfile.prod"] {
        let files = [MODULE, ("cmd/served/main.go", main.as_str()), (file, image)];
        assert_eq!(
            lines(&found(&files)),
            ["web /usr/local/bin/served --port 8090 [8090]"],
            "{file}"
        );
    }
}

#[test]
fn a_check_of_the_image_says_the_port() {
    let main = gin("\t\"os\"\n", "\trouter.Run(os.Getenv(\"ADDRESS\"))");
    let image = "FROM golang:1.24\nRUN go build -o /bin/a .\nHEALTHCHECK CMD wget -qO- http://127.0.0.1:6060/x\nENTRYPOINT [\"/bin/a\"]\n";
    let files = [MODULE, ("main.go", main.as_str()), ("Dockerfile", image)];
    assert_eq!(lines(&found(&files)), ["web /usr/local/bin/a [6060]"]);
}

#[test]
fn what_takes_requests_beside_its_queue_is_no_worker() {
    let main = "package main\n\nimport (\n\t\"os/signal\"\n\t\"github.com/gin-gonic/gin\"\n)\n\nfunc main() {\n\tqueue.Subscribe(nil)\n\tgo func() {\n\t\trouter := gin.Default()\n\t\trouter.GET(\"/healthz\", nil)\n\t\trouter.POST(path, nil)\n\t\trouter.Run(\":8080\")\n\t}()\n\tsignal.Notify(nil)\n}\n";
    let kind = |main: &str| lines(&found(&[MODULE, ("main.go", main)])).join("");
    assert_eq!(kind(main), "web /usr/local/bin/a [8080]");
    let only_works = main.replace("\t\trouter.POST(path, nil)\n", "");
    assert!(kind(&only_works).starts_with("worker "));
}

#[test]
fn a_dockerfile_above_a_module_builds_it() {
    let main = gin("\t\"os\"\n", "\trouter.Run(os.Getenv(\"ADDRESS\"))");
    let image = "FROM golang:1.24 AS build\nWORKDIR /build\nADD /code /build\nRUN go build -ldflags '-w -s' -o bot\nFROM alpine\nEXPOSE 9000\nENTRYPOINT [\"/app/bot\"]\n";
    let files = [
        ("code/go.mod", MODULE.1),
        ("code/main.go", main.as_str()),
        ("Dockerfile", image),
    ];
    assert_eq!(lines(&found(&files)), ["web /usr/local/bin/a [9000]"]);
}

#[test]
fn variables_of_the_image_say_where_it_listens() {
    let main = gin(
        "\t\"os\"\n",
        "\taddress := os.Getenv(\"LISTEN_ADDR\")\n\tif address == \"\" {\n\t\taddress = \":3000\"\n\t}\n\trouter.Run(address)",
    );
    let image = "FROM golang:1.24\nRUN go build -o /bin/a .\nENV LISTEN_ADDR=:8090\nENTRYPOINT [\"/bin/a\"]\n";
    let files = [MODULE, ("main.go", main.as_str()), ("Dockerfile", image)];
    let detection = found(&files);
    assert_eq!(lines(&detection), ["web /usr/local/bin/a [8090]"]);
    let recipe = detection.services[0].recipe.as_ref().unwrap();
    assert_eq!(
        recipe.environment,
        [("LISTEN_ADDR".to_owned(), ":8090".to_owned())]
    );
}

#[test]
fn beego_reads_a_settings_file_of_its_own() {
    let main = "package main\n\nimport (\n\t\"fmt\"\n\t\"github.com/beego/beego\"\n)\n\nfunc main() {\n\tport := beego.AppConfig.DefaultInt(\"httpport\", 14000)\n\tbeego.Run(fmt.Sprintf(\":%v\", port))\n}\n";
    let files = [
        MODULE,
        ("main.go", main),
        ("conf/app.conf", "appname = a\nhttpport = 14001\n"),
    ];
    assert_eq!(lines(&found(&files)), ["web /usr/local/bin/a [14001]"]);
}

#[test]
fn only_what_the_subcommand_that_serves_runs_is_required() {
    let main = "package main\n\nimport (\n\t\"errors\"\n\t\"net/http\"\n\t\"os\"\n\t\"github.com/spf13/cobra\"\n)\n\nvar serveCmd = &cobra.Command{Use: \"serve\", RunE: func(cmd *cobra.Command, args []string) error {\n\tkey := os.Getenv(\"SERVE_KEY\")\n\tif key == \"\" {\n\t\treturn errors.New(\"missing\")\n\t}\n\treturn http.ListenAndServe(\":8080\", nil)\n}}\n\nvar migrateCmd = &cobra.Command{Use: \"migrate [flags]\", RunE: migrate}\n\nfunc migrate(cmd *cobra.Command, args []string) error {\n\tkey := os.Getenv(\"MIGRATE_KEY\")\n\tif key == \"\" {\n\t\treturn errors.New(\"missing\")\n\t}\n\treturn nil\n}\n\nfunc main() {\n\troot := &cobra.Command{Use: \"a\"}\n\troot.AddCommand(serveCmd, migrateCmd)\n\troot.Execute()\n}\n";
    let detection = found(&[MODULE, ("main.go", main)]);
    assert_eq!(lines(&detection), ["web /usr/local/bin/a serve [8080]"]);
    assert_eq!(required(&detection), ["SERVE_KEY"]);
    let names: Vec<&str> = detection
        .environment
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!(names, ["MIGRATE_KEY", "SERVE_KEY"]);
}

#[test]
fn a_field_that_is_checked_is_the_variable_that_fills_it() {
    let main = "package main\n\nimport (\n\t\"log\"\n\t\"net/http\"\n\t\"example.com/a/settings\"\n)\n\nfunc main() {\n\tif _, err := settings.Load(); err != nil {\n\t\tlog.Fatal(err)\n\t}\n\thttp.ListenAndServe(\":8080\", nil)\n}\n";
    let settings = "package settings\n\nimport (\n\t\"fmt\"\n\t\"os\"\n)\n\ntype Settings struct{ Token, Level string }\n\nfunc Load() (*Settings, error) {\n\tsettings := &Settings{\n\t\tToken: os.Getenv(\"THE_TOKEN\"),\n\t\tLevel: getEnv(\"LEVEL\", \"info\"),\n\t}\n\tif settings.Token == \"\" {\n\t\treturn nil, fmt.Errorf(\"missing\")\n\t}\n\tif settings.Level == \"\" {\n\t\treturn nil, fmt.Errorf(\"missing\")\n\t}\n\treturn settings, nil\n}\n";
    let detection = found(&[
        MODULE,
        ("main.go", main),
        ("settings/settings.go", settings),
    ]);
    assert_eq!(required(&detection), ["THE_TOKEN"]);
}

#[test]
fn what_is_gathered_in_a_list_is_missed_where_the_list_ends_the_work() {
    let main = "package main\n\nimport (\n\t\"log\"\n\t\"net/http\"\n\t\"os\"\n)\n\nfunc main() {\n\tvar missing, hints []string\n\tkey := os.Getenv(\"A_KEY\")\n\tif key == \"\" {\n\t\tmissing = append(missing, \"A_KEY\")\n\t}\n\tother := os.Getenv(\"B_KEY\")\n\tif other == \"\" {\n\t\thints = append(hints, \"B_KEY\")\n\t}\n\tif len(missing) > 0 {\n\t\tlog.Fatal(missing)\n\t}\n\thttp.ListenAndServe(\":8080\", nil)\n}\n";
    let detection = found(&[MODULE, ("main.go", main)]);
    assert_eq!(required(&detection), ["A_KEY"]);
}

#[test]
fn ports_of_certificates_are_not_the_programs_own() {
    let main = "package main\n\nimport \"example.com/a/web\"\n\nfunc main() {\n\tweb.Serve()\n}\n";
    let web = "package web\n\nimport (\n\t\"net/http\"\n\t\"os\"\n)\n\ntype Settings struct {\n\tPort int `envconfig:\"SERVER_PORT\" default:\"8080\"`\n}\n\nfunc Serve() {\n\tif os.Getenv(\"TLS\") != \"\" {\n\t\tgo http.ListenAndServe(\":80\", nil)\n\t\thttp.ListenAndServeTLS(\":443\", \"\", \"\", nil)\n\t}\n\thttp.ListenAndServe(address(), nil)\n}\n";
    let files = [MODULE, ("main.go", main), ("web/web.go", web)];
    assert_eq!(lines(&found(&files)), ["web /usr/local/bin/a [8080]"]);
}

#[test]
fn a_compose_file_means_the_stage_that_it_names() {
    let main = |port: &str| gin("", &format!("\trouter.Run(\":{port}\")"));
    let image = "FROM golang:1.24 AS builder\nCOPY . .\nRUN go build -o /out/gateway ./cmd/gateway && go build -o /out/console ./cmd/console\nFROM alpine AS gateway-runtime\nENTRYPOINT [\"/out/gateway\"]\nFROM alpine AS console-runtime\nENTRYPOINT [\"/out/console\"]\n";
    let compose = "services:\n  front:\n    build: {context: .., target: gateway-runtime}\n    ports: ['8080:8080']\n";
    let detection = found(&[
        MODULE,
        ("cmd/gateway/main.go", main("8080").as_str()),
        ("cmd/console/main.go", main("8081").as_str()),
        ("Dockerfile", image),
        ("deploy/compose.yaml", compose),
    ]);
    let told: Vec<&str> = detection
        .problems
        .iter()
        .map(|one| one.what.as_str())
        .collect();
    assert_eq!(told, [""; 0]);
}

#[test]
fn a_database_that_is_connected_to_at_start_is_needed() {
    let main = "package main\n\nimport (\n\t\"database/sql\"\n\t\"net/http\"\n\t\"os\"\n\t_ \"github.com/lib/pq\"\n)\n\nfunc open() (*sql.DB, error) {\n\taddress := os.Getenv(\"DATABASE_URL\")\n\tif address == \"\" {\n\t\taddress = \"host=\" + os.Getenv(\"PG_HOST\")\n\t}\n\treturn sql.Open(\"postgres\", address)\n}\n\nfunc main() {\n\tif _, err := open(); err != nil {\n\t\tpanic(err)\n\t}\n\thttp.ListenAndServe(\":8080\", nil)\n}\n";
    let needs = |main: &str| {
        let needs = found(&[MODULE, ("main.go", main)]).needs.into_iter();
        needs
            .map(|need| format!("{:?} {}", need.kind, need.required))
            .collect::<Vec<_>>()
    };
    assert_eq!(needs(main), ["Postgres true"]);
    // Its driver asks for encryption unless it is told not to.
    let detection = found(&[MODULE, ("main.go", main)]);
    let (project, _) = detection.into_project("x", std::path::Path::new("/x"), &|_| "p".into());
    let mut services = project.services.values();
    let address = services.find_map(|service| service.environment.get("DATABASE_URL"));
    assert_eq!(
        address.unwrap().value.as_deref(),
        Some("postgresql://app:p@postgres:5432/app?sslmode=disable")
    );
    let chosen = main.replace(
        "\treturn sql.Open(\"postgres\", address)",
        "\tif address != \"\" {\n\t\treturn sql.Open(\"postgres\", address)\n\t}\n\treturn nil, nil",
    );
    assert_eq!(needs(&chosen), ["Postgres false"]);
}

#[test]
fn what_starts_a_program_as_the_second_process_is_no_argument_of_it() {
    let server = gin("import \"github.com/gin-gonic/gin\"", "r.Run(\":8001\")");
    let started = |image: &str| {
        let image = format!("FROM golang:1.24\nRUN go build -o /bin/a .\n{image}\n");
        let detection = found(&[
            ("go.mod", "module x/a\n\ngo 1.24\n"),
            ("main.go", &server),
            ("Dockerfile", &image),
        ]);
        lines(&detection).concat()
    };
    let plain = "web /usr/local/bin/a [8001]";
    let init = "ENTRYPOINT [\"/usr/bin/tini\", \"-g\", \"--\"]\n";
    assert_eq!(started(&format!("{init}CMD [\"/bin/a\"]")), plain);
    assert_eq!(
        started(&format!("{init}CMD [\"/bin/a\", \"-v\"]")),
        "web /usr/local/bin/a -v [8001]"
    );
    let shell = "CMD [\"/bin/bash\", \"-c\", \"/bin/tool migrate && exec /bin/a\"]";
    assert_eq!(started(&format!("{init}{shell}")), plain);
}

#[test]
fn what_a_validator_wants_and_no_default_fills_is_required() {
    let config = "package main\n\ntype Config struct {\n\tPort string `envconfig:\"PORT\" validate:\"required\"`\n\tKey string `envconfig:\"SERVER_KEY\" validate:\"required,min=8\"`\n\tNote string `envconfig:\"NOTE\" validate:\"omitempty\"`\n}\n\nfunc (c *Config) SetDefault() {\n\tif c.Port == \"\" {\n\t\tc.Port = \"8001\"\n\t}\n}\n";
    let main = |check: &str| {
        format!(
            "package main\n\nimport (\n\t\"github.com/gin-gonic/gin\"\n\t\"github.com/go-playground/validator/v10\"\n\t\"github.com/kelseyhightower/envconfig\"\n)\n\nfunc main() {{\n\tvar c Config\n\tenvconfig.Process(\"\", &c)\n\tc.SetDefault()\n{check}\tr := gin.Default()\n\tr.Run(\":\" + c.Port)\n}}\n\nvar _ = validator.New\n"
        )
    };
    let wanted = |check: &str| {
        let detection = found(&[
            ("go.mod", "module x/a\n\ngo 1.24\n"),
            ("config.go", config),
            ("main.go", &main(check)),
        ]);
        let names = required(&detection).into_iter();
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    let check = "\tif err := validator.New().Struct(c); err != nil {\n\t\tpanic(err)\n\t}\n";
    assert_eq!(wanted(check), ["SERVER_KEY"]);
    assert!(wanted("").is_empty());
}

#[test]
fn a_port_that_the_system_chooses_makes_no_service() {
    let main = "package main\n\nimport (\n\t\"fmt\"\n\t\"net\"\n\t\"net/http\"\n)\n\nfunc main() {\n\tlistener, _ := net.Listen(\"tcp\", \":0\")\n\tfmt.Println(listener.Addr())\n\thttp.Serve(listener, nil)\n}\n";
    let chosen = main.replace("\":0\"", "\":8080\"");
    assert_eq!(
        lines(&found(&[MODULE, ("main.go", &chosen)])),
        ["web /usr/local/bin/a [8080]"]
    );
    assert!(found(&[MODULE, ("main.go", main)]).services.is_empty());
}
