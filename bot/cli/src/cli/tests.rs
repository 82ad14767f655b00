use std::collections::BTreeMap;
use std::path::Path;

use super::*;

/// Runs a command line: exit code, standard output, standard error.
fn planebot(words: &[&str], variables: &[(&str, &str)]) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut console = Console {
        out: &mut out,
        err: &mut err,
        stderr_is_terminal: false,
        variables: variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<BTreeMap<_, _>>(),
    };
    let code = run(
        std::iter::once("planebot").chain(words.iter().copied()),
        &mut console,
    );
    let text =
        |bytes| anstream::adapter::strip_str(std::str::from_utf8(bytes).unwrap()).to_string();
    (code, text(&out), text(&err))
}

fn put(folder: &Path, path: &str, text: &str) {
    let place = folder.join(path);
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(place, text).unwrap();
}

const DESKS: &str = "plane: desks\nfabric: blue\ncidr: 192.0.2.0/24\n";

#[test]
fn help_exits_with_0_and_a_usage_error_with_1() {
    let (code, out, _) = planebot(&["--help"], &[]);
    assert!(
        code == 0 && out.contains("Examples:") && out.contains("import"),
        "{out}"
    );
    let (code, _, err) = planebot(&["chekc"], &[]);
    assert!(code == 1 && err.contains("check"), "{err}");
    let (code, _, err) = planebot(&["check", "/nowhere"], &[]);
    assert_eq!(
        (code, err.as_str()),
        (
            1,
            "error: `/nowhere` is not a folder: give the folder with the declaration, for example `topology`\n"
        )
    );
}

#[test]
fn check_exits_with_0_or_with_1_and_the_place_of_each_finding() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "dc1/desks.yaml", DESKS);
    let path = folder.path().to_str().unwrap();
    let (code, out, err) = planebot(&["check", path, "--runbooks", "/nowhere"], &[]);
    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (
            0,
            "1 site, 1 plane, 0 runbooks, 0 findings: no errors\n",
            ""
        )
    );
    put(
        folder.path(),
        "dc2/desks.yaml",
        "plane: desks\nfabrik: blue\ncidr: 192.0.2.7/24\n",
    );
    let (code, out, _) = planebot(&["check", path, "--format", "json"], &[]);
    let report = assert_fits("check", &out);
    let first = &report["findings"][0];
    assert_eq!((code, &report["ok"]), (1, &serde_json::json!(false)));
    assert!(
        first["file"].as_str().unwrap().ends_with("dc2/desks.yaml"),
        "{out}"
    );
    assert!(first["line"].is_u64() && first["code"].is_string(), "{out}");
}

#[test]
fn a_command_needs_a_maas_and_never_shows_the_key() {
    let (code, _, err) = planebot(&["plan", "--config", "/nowhere/planebot.toml"], &[]);
    assert!(code == 1 && err.contains("--maas-url"), "{err}");
    let ad_hoc = ["plan", "--maas-url", "http://127.0.0.1:1/MAAS"];
    let (code, _, err) = planebot(&ad_hoc, &[]);
    assert!(code == 1 && err.contains("PLANEBOT_MAAS_API_KEY"), "{err}");
    let (code, _, err) = planebot(&ad_hoc, &[("PLANEBOT_MAAS_API_KEY", "cons:tok/en:s3cret")]);
    assert!(
        code == 1 && err.contains("token of the API key") && !err.contains("s3cret"),
        "{err}"
    );
}

#[test]
fn an_imported_maas_checks_without_errors_and_plans_to_no_changes() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let layout = r#"{"fabrics": [{"name": "blue", "vlans": [{"vid": 0, "subnets": [{"cidr": "192.0.2.0/24", "name": "desks"}]}]}]}"#;
    let maas = ::lab::maas::LabMaas::load(layout, Some("3.7.3")).unwrap();
    let key = maas.api_key("admin").unwrap();
    let serving = runtime.block_on(::lab::maas::serve(maas, None)).unwrap();
    let sites = folder.path().join("topology");
    let out = sites.to_str().unwrap();
    let import = [
        "--maas-url",
        &serving.url,
        "import",
        "--site",
        "dc1",
        "--out",
        out,
    ];
    let variables = [("PLANEBOT_MAAS_API_KEY", key.as_str())];
    let (code, printed, err) = planebot(&import, &variables);
    assert!(
        code == 0 && printed.contains("1 VLANs and 1 subnets"),
        "{printed}{err}"
    );
    assert!(sites.join("topology.schema.json").exists());
    let (code, again, _) = planebot(&import, &variables);
    assert!(code == 0 && again.contains("no differences"), "{again}");
    let (code, printed, _) = planebot(&["check", out], &[]);
    assert!(code == 0, "{printed}");
    let (code, printed, _) = planebot(
        &["--maas-url", &serving.url, "--topology", out, "plan"],
        &variables,
    );
    assert!(code == 0 && printed.contains("no changes"), "{printed}");
    drop(serving);
}

/// A MAAS with a deployed machine.
const DEPLOYED: &str = r#"{"fabrics": [{"name": "blue", "vlans": [
    {"vid": 0, "subnets": [{"cidr": "192.0.2.0/24", "name": "desks"}]}]}],
    "machines": [{"hostname": "m1", "status": "Deployed", "interfaces": [
        {"name": "eth0", "fabric": "blue", "vlan": 0, "links": [{"subnet": "192.0.2.0/24", "mode": "STATIC", "ip": "192.0.2.40"}]}]}]}"#;

#[test]
fn what_is_declared_and_not_so_is_never_no_changes() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let maas = ::lab::maas::LabMaas::load(DEPLOYED, Some("3.7.3")).unwrap();
    let key = maas.api_key("admin").unwrap();
    let serving = runtime.block_on(::lab::maas::serve(maas, None)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "desks.yaml", DESKS);
    let declared = "machines:\n  - {name: m1, interfaces: [{name: eth0, type: physical, links: [{plane: desks, address: +41}]}]}\n  - {name: m2, interfaces: [{name: eth0, type: physical}]}\n";
    put(folder.path(), "machines.yaml", declared);
    let site = folder.path().to_str().unwrap();
    let ask = |words: &[&str]| {
        let site = ["--maas-url", &serving.url, "--topology", site];
        planebot(&[&site, words].concat(), &[("PLANEBOT_MAAS_API_KEY", &key)])
    };
    for words in [
        vec!["plan"],
        vec!["plan", "--format", "markdown"],
        vec!["audit"],
    ] {
        let (code, out, err) = ask(&words);
        assert_eq!(code, 2, "{words:?}: {out}{err}");
        assert!(
            out.contains("waits for: a release")
                && out.contains("192.0.2.41")
                && out.contains("machine m2")
                && out.contains("waits for: the machine")
                && !out.contains("no changes"),
            "{words:?}: {out}"
        );
    }
    let (code, out, _) = ask(&["plan", "--format", "json"]);
    let plan = assert_fits("plan", &out);
    assert_fits("audit", &ask(&["audit", "--format", "json"]).1);
    assert_fits("rehearse", &ask(&["rehearse", "--format", "json"]).1);
    assert!(
        code == 2 && plan["verdict"] == "waits" && plan["waits"].as_array().unwrap().len() == 3,
        "{out}"
    );
    drop(serving);
}

#[test]
fn an_unknown_release_is_said_to_be_read_only_in_every_format() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let maas = ::lab::maas::LabMaas::load(DEPLOYED, Some("4.0.0")).unwrap();
    let key = maas.api_key("admin").unwrap();
    let serving = runtime.block_on(::lab::maas::serve(maas, None)).unwrap();
    let words = "planebot does not know the rules of MAAS 4.0.0, so this plan is read-only";
    let changed = DESKS.replace("plane: desks", "plane: tables");
    // The last is refused.
    for declared in [
        DESKS,
        changed.as_str(),
        "plane: a\nfabric: blue\ncidr: 192.0.2.0/25\n",
    ] {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "desks.yaml", declared);
        let site = folder.path().to_str().unwrap();
        for command in ["plan", "audit"] {
            for format in ["text", "markdown", "json"] {
                let (_, out, err) = planebot(
                    &[
                        "--maas-url",
                        &serving.url,
                        "--topology",
                        site,
                        command,
                        "--format",
                        format,
                    ],
                    &[("PLANEBOT_MAAS_API_KEY", &key)],
                );
                assert!(out.contains(words), "{command} {format}: {out}{err}");
                if format == "json" {
                    assert_eq!(assert_fits(command, &out)["read_only"], words);
                }
            }
        }
    }
    drop(serving);
}

/// A MAAS with a declared and an undeclared network.
const PHONES: &str = r#"{"fabrics": [{"name": "blue", "vlans": [
    {"vid": 0, "subnets": [{"cidr": "192.0.2.0/24", "name": "desks", "gateway": "192.0.2.7"}]},
    {"vid": 20, "subnets": [{"cidr": "198.51.100.0/24", "name": "phones"}]}]}]}"#;

#[test]
fn import_adopts_only_the_given_object_and_keeps_comments() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let maas = ::lab::maas::LabMaas::load(PHONES, Some("3.7.3")).unwrap();
    let key = maas.api_key("admin").unwrap();
    let serving = runtime.block_on(::lab::maas::serve(maas, None)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let declared = "# Desks.\nplane: desks\nfabric: blue\ncidr: 192.0.2.0/24   # the third floor\n";
    put(folder.path(), "dc1/desks.yaml", declared);
    let site = folder.path().join("dc1");
    let read = |name: &str| std::fs::read_to_string(site.join(name)).unwrap_or_default();
    let out = folder.path().to_str().unwrap();
    let import = |more: &[&str]| {
        let words = [
            "--maas-url",
            &serving.url,
            "import",
            "--site",
            "dc1",
            "--out",
            out,
        ];
        planebot(&[&words, more].concat(), &[("PLANEBOT_MAAS_API_KEY", &key)])
    };
    let (code, _, err) = import(&["--adopt", "198.51.100.0/25"]);
    assert!(
        code == 1 && err.contains("planebot audit") && err.contains("nothing was written"),
        "{err}"
    );
    let (code, out, err) = import(&["--adopt", "198.51.100.0/24"]);
    assert!(
        code == 0 && out.contains("new      phones.yaml"),
        "{out}{err}"
    );
    assert_eq!(
        read("desks.yaml"),
        declared,
        "it differs, but was not to be adopted"
    );
    let (code, out, err) = import(&[]);
    assert!(
        code == 0 && out.contains("changed  desks.yaml"),
        "{out}{err}"
    );
    assert_eq!(read("desks.yaml"), format!("{declared}gateway: +7\n"));
    let gone = "planes:\n  - plane: gone   # once\n    fabric: red\n    cidr: 10.0.0.0/24\n";
    put(&site, "gone.yaml", gone);
    let (code, _, err) = import(&[]);
    assert!(
        code == 1 && err.contains("gone.yaml:2: plane `gone`") && err.contains("--overwrite"),
        "{err}"
    );
    let (code, out, err) = import(&["--overwrite"]);
    assert!(
        code == 0 && out.contains("changed  gone.yaml"),
        "{out}{err}"
    );
    assert_eq!(read("gone.yaml"), "# once\nplanes: []\n");
}

/// A report is as the schema of its command says, and says which version it has.
fn assert_fits(report: &str, out: &str) -> serde_json::Value {
    let (_, schema, _) = planebot(&["schema", "--of", report], &[]);
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let value: serde_json::Value = serde_json::from_str(out).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&value)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{report}: {errors:?}");
    assert_eq!(value["format"], 1);
    value
}

#[test]
fn schema_completions_and_manual_pages_are_printed() {
    for report in ["plan", "audit", "rehearse", "check", "doctor"] {
        let (code, out, _) = planebot(&["schema", "--of", report], &[]);
        assert_eq!(code, 0);
        let schema: serde_json::Value = serde_json::from_str(&out).unwrap();
        drop(jsonschema::validator_for(&schema).unwrap());
        assert_eq!(schema["title"], format!("planebot {report} --format json"));
    }
    let (code, out, _) = planebot(&["schema"], &[]);
    assert!(code == 0 && serde_json::from_str::<serde_json::Value>(&out).is_ok());
    let (code, out, _) = planebot(&["completions", "bash"], &[]);
    assert!(code == 0 && out.contains("planebot"));
    let (code, out, _) = planebot(&["man"], &[]);
    assert!(code == 0 && out.contains(".TH planebot"));
    let (code, out, _) = planebot(&["man", "check"], &[]);
    assert!(code == 0 && out.contains("Exit codes"), "{out}");
    let (code, _, err) = planebot(&["man", "chekc"], &[]);
    assert!(code == 1 && err.contains("no command"), "{err}");
}

/// A machine has a link on the network that moves: `apply` must wait for a person.
const OCCUPIED: &str = r#"{"fabrics": [{"name": "blue", "vlans": [{"vid": 0, "subnets": [{"cidr": "192.0.2.0/24", "name": "desks"}]}]}],
    "machines": [{"hostname": "m1", "status": "Deployed", "interfaces": [{"name": "eth7", "type": "physical",
    "mac": "52:54:00:00:07:07", "links": [{"subnet": "192.0.2.0/24", "mode": "STATIC", "ip": "192.0.2.40"}]}]}]}"#;

/// A MAAS, a configuration and a declaration that moves its network.
struct TestSite {
    folder: tempfile::TempDir,
    key: String,
    serving: ::lab::maas::MaasServer,
    runtime: tokio::runtime::Runtime,
}

impl TestSite {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let maas = ::lab::maas::LabMaas::load(OCCUPIED, Some("3.7.3")).unwrap();
        let key = maas.api_key("admin").unwrap();
        let serving = runtime.block_on(::lab::maas::serve(maas, None)).unwrap();
        let moved = "plane: desks\nfabric: blue\nname: desks\ncidr: 198.51.100.0/24\n";
        put(folder.path(), "topology/desks.yaml", moved);
        let config = format!(
            "[store]\nurl = 'sqlite://{}/journal.db'\n[[site]]\nname = 'dc'\nrepository = 'acme/network'\n\
             maas_url = '{}'\n[site.policy]\nsettle_seconds = 1\n",
            folder.path().display(),
            serving.url
        );
        put(folder.path(), "planebot.toml", &config);
        Self {
            folder,
            key,
            serving,
            runtime,
        }
    }

    fn planebot(&self, words: &[&str]) -> (u8, String, String) {
        let config = self.folder.path().join("planebot.toml");
        let declared = self.folder.path().join("topology");
        let (config, declared) = (config.to_str().unwrap(), declared.to_str().unwrap());
        let all = [&["--config", config, "--topology", declared], words].concat();
        planebot(&all, &[("PLANEBOT_SITE_DC_MAAS_API_KEY", &self.key)])
    }
}

#[test]
fn a_run_from_a_terminal_waits_at_its_gate_and_can_be_resumed_or_aborted() {
    let site = TestSite::new();
    let (code, out, err) = site.planebot(&["plan", "--format", "json"]);
    let plan = assert_fits("plan", &out);
    let digest = plan["digest"].as_str().unwrap();
    assert_eq!(
        (code, plan["verdict"].as_str()),
        (2, Some("changes")),
        "{err}"
    );
    let apply = |more: &[&str]| {
        let (code, out, _) = site.planebot(&[&["apply", "--digest", digest], more].concat());
        (code, out)
    };
    let gone = ["apply", "--digest", "0000-0000"];
    let evidence = ["--done", "teardown", "--evidence", "no-juju-model"];
    let (code, out, _) = site.planebot(&gone);
    assert!(code == 3 && out.contains("not 0000-0000"), "{out}");
    // A claim for another gate is ignored, also for one that the plan does not have.
    for (words, expected, says) in [
        (
            &["--done", "jumphost"][..],
            4,
            "`--done jumphost` was ignored",
        ),
        (&["--done", "teardown"], 4, "m1: eth7 still has a link"),
        (
            &["--done", "teardown"],
            4,
            "add `--done teardown --evidence 'no-juju-model'`",
        ),
        (&evidence, 4, "m1: eth7 still has a link"),
        (&["--abort"], 0, "aborted after 0 steps"),
        (&["--abort"], 3, "no unfinished run of"),
        (&[], 4, "waiting at gate teardown"),
    ] {
        let (code, out) = apply(words);
        assert!(code == expected && out.contains(says), "{words:?}: {out}");
    }
    let (code, out, _) = site.planebot(&gone);
    assert!(code == 3 && out.contains("--abort"), "{out}");
    {
        let mut maas = site.serving.maas.lock().unwrap();
        maas.release("m1");
        maas.unlink_all("m1", "192.0.2.0/24");
        maas.set_status("m1", "Ready");
    }
    let (code, out) = apply(&evidence);
    assert!(
        code == 0 && out.contains("applied, and proved twice"),
        "{out}"
    );
    assert_eq!(site.planebot(&["plan"]).0, 0);
}

/// Adds `[github]` and an operator to the configuration.
fn with_github(site: &TestSite, url: &str) {
    let path = site.folder.path().join("planebot.toml");
    let github = format!(
        "[github]\napi_url = '{url}'\ntoken_file = 'token'\nwebhook_secret_file = 'secret'\n"
    );
    let before = std::fs::read_to_string(&path).unwrap();
    put(site.folder.path(), "token", "t0ken");
    put(site.folder.path(), "secret", "s3cret");
    let operators = before.replace(
        "[site.policy]",
        "[site.operators]\nusers = ['bob']\n[site.policy]",
    );
    put(
        site.folder.path(),
        "planebot.toml",
        &format!("{github}{operators}"),
    );
}

#[test]
fn the_doctor_names_remedies_changes_nothing_and_retries_dead_letters() {
    let site = TestSite::new();
    let (code, out, _) = site.planebot(&["doctor", "--only", "maas"]);
    assert_eq!(code, 1);
    assert!(
        out.contains("no `[github]`") && out.contains("no operators"),
        "{out}"
    );
    with_github(&site, "http://127.0.0.1:1");
    let (code, out, err) = site.planebot(&["doctor", "--only", "maas"]);
    assert!(code == 0 && out.contains("is MAAS 3.7.3"), "{out}{err}");
    let (code, out, _) = site.planebot(&["doctor", "--only", "github"]);
    assert!(
        code == 1 && out.contains("check that this machine can reach"),
        "{out}"
    );
    let store = site.folder.path().join("journal.db");
    let (code, out, _) = site.planebot(&["doctor", "--only", "store"]);
    assert!(code == 0 && out.contains("does not exist yet"), "{out}");
    assert!(!store.exists(), "the doctor must not create it");
    site.runtime.block_on(async {
        let journal = journal::Journal::open(&format!("sqlite://{}", store.display()))
            .await
            .unwrap();
        let now = topology::observed::Timestamp(1_000);
        let poison = journal::Delivery {
            id: "72d3162e".to_owned(),
            event: "issue_comment".to_owned(),
            body: "{}".to_owned(),
        };
        journal.store_delivery(&poison, now).await.unwrap();
        let why = journal::Settled::DeadLetter("observing MAAS:\n502".to_owned());
        journal.settle(&poison.id, &why, now).await.unwrap();
    });
    let (code, out, _) = site.planebot(&["doctor", "--only", "store"]);
    assert_eq!(code, 1);
    for says in [
        "1 delivery failed too often:",
        "72d3162e  issue_comment, ",
        " days ago: observing MAAS: 502",
        "--retry ID",
        "no replica is the leader",
        "1 problem",
    ] {
        assert!(out.contains(says), "{says}: {out}");
    }
    let (code, out, _) = site.planebot(&["doctor", "--only", "store", "--format", "json"]);
    assert_fits("doctor", &out);
    let whole: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &whole["ok"]), (1, &serde_json::json!(false)));
    let wrong = whole["findings"].as_array().unwrap().iter();
    let wrong: Vec<_> = wrong.filter(|it| it["mark"] == "wrong").collect();
    assert_eq!(wrong.len(), 1);
    assert!(wrong[0]["todo"].is_string(), "{out}");
    let (code, _, err) = site.planebot(&["doctor", "--retry", "nothing"]);
    assert!(code == 1 && err.contains("--only store"), "{err}");
    let (code, out, err) = site.planebot(&["doctor", "--retry", "72d3162e"]);
    assert!(code == 0 && out.contains("processed again"), "{out}{err}");
    let (code, out, _) = site.planebot(&["doctor", "--only", "store"]);
    assert!(code == 0 && out.contains("1 delivery to process"), "{out}");
}

#[test]
fn the_doctor_reports_an_unusable_store_and_an_invalid_configuration() {
    let site = TestSite::new();
    with_github(&site, "http://127.0.0.1:1");
    put(
        site.folder.path(),
        "journal.db",
        &"this is not a database\n".repeat(99),
    );
    let (code, out, err) = site.planebot(&["doctor", "--only", "store"]);
    assert!(code == 1 && err.is_empty(), "{err}");
    assert!(out.contains("file is not a database"), "{out}");
    assert!(
        out.contains("→ it is no planebot store: name another file"),
        "{out}"
    );
    let path = site.folder.path().join("planebot.toml");
    let hasty = std::fs::read_to_string(&path).unwrap();
    let hasty = hasty.replace("[store]\n", "[store]\nkeep_days = 3\n");
    put(site.folder.path(), "planebot.toml", &hasty);
    let (code, out, err) = site.planebot(&["doctor"]);
    assert!(code == 1 && err.is_empty(), "{err}");
    assert!(
        out.contains("GitHub resends a webhook for up to three days"),
        "{out}"
    );
}

/// A MAAS with two networks and a region controller, and the configuration of two sites on it.
struct TwoSites {
    folder: tempfile::TempDir,
    key: String,
    _serving: ::lab::maas::MaasServer,
    _runtime: tokio::runtime::Runtime,
}

const CHAIRS: &str = "plane: chairs\nfabric: red\nname: chairs\ncidr: 198.51.100.0/24\n";

impl TwoSites {
    /// `second` is the URL of the second site: `MAAS_URL` or `MAAS_ALIAS` stand for the one MAAS.
    fn new(second: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let layout = r#"{"fabrics": [
            {"name": "blue", "vlans": [{"vid": 0, "subnets": [{"cidr": "192.0.2.0/24", "name": "desks"}]},
                {"vid": 9, "name": "nine", "subnets": [{"cidr": "192.0.9.0/24", "name": "nine"}]}]},
            {"name": "red", "vlans": [{"vid": 0, "subnets": [{"cidr": "198.51.100.0/24", "name": "chairs"}]}]}],
            "controllers": [{"hostname": "region0", "kind": "region", "interfaces": []}],
            "machines": [{"hostname": "m1", "status": "Deployed", "interfaces": [{"name": "eth7", "type": "physical",
            "fabric": "blue", "vlan": 0, "links": [{"subnet": "192.0.2.0/24", "mode": "STATIC", "ip": "192.0.2.40"}]}]}]}"#;
        let maas = ::lab::maas::LabMaas::load(layout, Some("3.7.3")).unwrap();
        let key = maas.api_key("admin").unwrap();
        let serving = runtime.block_on(::lab::maas::serve(maas, None)).unwrap();
        let second = second
            .replace("MAAS_URL", &serving.url)
            .replace("MAAS_ALIAS", &serving.url.replace("127.0.0.1", "localhost"));
        let site = |name: &str, url: &str| {
            format!(
                "[[site]]\nname = '{name}'\nrepository = 'acme/network'\nmaas_url = {url}\n\
                 [site.policy]\nsettle_seconds = 1\n"
            )
        };
        // The first region is away.
        let first = format!("['http://127.0.0.1:1/MAAS', '{}']", serving.url);
        let config = format!(
            "[store]\nurl = 'sqlite://{}/journal.db'\n{}{}",
            folder.path().display(),
            site("dc1", &first),
            site("dc2", &format!("'{second}'")),
        );
        put(folder.path(), "planebot.toml", &config);
        put(folder.path(), "topology/dc1/desks.yaml", DESKS);
        put(folder.path(), "topology/dc2/chairs.yaml", CHAIRS);
        Self {
            folder,
            key,
            _serving: serving,
            _runtime: runtime,
        }
    }

    fn declare(&self, path: &str, text: &str) {
        put(&self.folder.path().join("topology"), path, text);
    }

    fn planebot(&self, words: &[&str]) -> (u8, String, String) {
        let config = self.folder.path().join("planebot.toml");
        let declared = self.folder.path().join("topology");
        let (config, declared) = (config.to_str().unwrap(), declared.to_str().unwrap());
        let all = [&["--config", config, "--topology", declared], words].concat();
        let keys = [
            ("PLANEBOT_SITE_DC1_MAAS_API_KEY", self.key.as_str()),
            ("PLANEBOT_SITE_DC2_MAAS_API_KEY", self.key.as_str()),
        ];
        planebot(&all, &keys)
    }
}

#[test]
fn two_sites_of_one_maas_declare_nothing_twice() {
    // By the configuration alone, with and without the other site among the folders that are checked.
    let sites = TwoSites::new("MAAS_URL");
    let (code, out, err) = sites.planebot(&["check"]);
    assert!(code == 0 && out.contains("0 findings"), "{out}{err}");
    sites.declare(
        "dc2/more.yaml",
        "plane: more\nfabric: blue\nvid: 7\ncidr: 192.0.2.64/26\n",
    );
    let one = sites.folder.path().join("topology/dc2");
    for words in [vec!["check"], vec!["check", one.to_str().unwrap()]] {
        let (code, out, _) = sites.planebot(&words);
        let says = "error[site/shared]: subnet `192.0.2.64/26` (`192.0.2.0/24` there) is also declared by site `dc1`";
        assert!(code == 1 && out.contains(says), "{out}");
        assert!(out.contains("dc2/more.yaml:1:1"), "{out}");
    }
    // By what MAAS answers, where the configuration does not say it.
    let sites = TwoSites::new("MAAS_ALIAS");
    sites.declare(
        "dc2/more.yaml",
        "plane: more\nfabric: blue\ncidr: 203.0.113.0/24\n",
    );
    assert_eq!(sites.planebot(&["check"]).0, 0);
    for (site, other) in [("dc1", "dc2"), ("dc2", "dc1")] {
        let (code, out, err) = sites.planebot(&["plan", "--site", site]);
        let says = format!("VLAN `blue/untagged` is also declared by site `{other}`.");
        assert!(
            code == 3 && out.contains("shared") && out.contains(&says),
            "{out}{err}"
        );
    }
    // Another MAAS, as far as anybody can tell, may have the same addresses.
    let sites = TwoSites::new("http://127.0.0.1:1/MAAS2");
    sites.declare("dc2/more.yaml", DESKS.replace("desks", "more").as_str());
    assert_eq!(sites.planebot(&["check"]).0, 0);
    let (code, out, err) = sites.planebot(&["plan", "--site", "dc1"]);
    assert!(code == 0 && out.contains("no changes"), "{out}{err}");
    // Nobody says which MAAS it is: a warning.
    let nowhere = ["check", "--config", "/nowhere/planebot.toml"];
    let path = sites.folder.path().join("topology");
    let words = [&nowhere[..], &[path.to_str().unwrap()]].concat();
    let (code, out, _) = planebot(&words, &[]);
    let says = "warning[site/maybe-shared]: VLAN `blue/untagged` is also declared by site `dc1`, and 1 more";
    assert!(code == 0 && out.contains(says), "{out}");
}

#[test]
fn what_another_site_declares_is_not_adopted() {
    let sites = TwoSites::new("MAAS_ALIAS");
    let renamed = DESKS.replace("fabric: blue", "fabric: violet\nadopt: true");
    sites.declare("dc1/desks.yaml", &renamed);
    let plan = || sites.planebot(&["plan", "--site", "dc1"]);
    let (code, out, err) = plan();
    assert!(
        code == 2 && out.contains("adopts what no plane declares"),
        "{out}{err}"
    );
    sites.declare(
        "dc2/nine.yaml",
        "plane: nine\nfabric: blue\nvid: 9\ncidr: 192.0.9.0/24\n",
    );
    let (code, out, err) = plan();
    let says = "it would take over or move subnet 192.0.9.0/24, which site `dc2` declares.";
    assert!(code == 3 && out.contains(says), "{out}{err}");
}

#[test]
fn two_sites_of_one_maas_take_turns() {
    let sites = TwoSites::new("MAAS_ALIAS");
    let digest = |site: &str| {
        let (code, out, err) = sites.planebot(&["plan", "--site", site, "--format", "json"]);
        assert_eq!(code, 2, "{out}{err}");
        let plan: serde_json::Value = serde_json::from_str(&out).unwrap();
        plan["digest"].as_str().unwrap().to_owned()
    };
    sites.declare("dc1/desks.yaml", &DESKS.replace("192.0.2.0", "203.0.113.0"));
    sites.declare("dc2/chairs.yaml", &format!("{CHAIRS}gateway: +1\n"));
    let (desks, chairs) = (digest("dc1"), digest("dc2"));
    let apply = |site: &str, digest: &str, more: &[&str]| {
        let words = ["apply", "--site", site, "--digest", digest];
        let (code, out, err) = sites.planebot(&[&words, more].concat());
        (code, format!("{out}{err}"))
    };
    let (code, out) = apply("dc1", &desks, &[]);
    assert!(
        code == 4 && out.contains("waiting at gate teardown"),
        "{out}"
    );
    let (code, out) = apply("dc2", &chairs, &[]);
    let says = "refused: site `dc1` is on the same MAAS, and sites of one MAAS take turns";
    assert!(code == 3 && out.contains(says), "{out}");
    assert_eq!(apply("dc1", &desks, &["--abort"]).0, 0);
    let (code, out) = apply("dc2", &chairs, &[]);
    assert!(
        code == 0 && out.contains("applied, and proved twice"),
        "{out}"
    );
}
