use std::collections::BTreeMap;
use std::path::Path;

use github::credentials::{Identity, Secret, Secrets};
use insta::assert_snapshot;
use secrecy::{ExposeSecret as _, SecretString};
use topology::observed::Timestamp;

use super::*;

const SMALL: &str = r#"
[github]
app_id = 7
private_key_file = "key.pem"
webhook_secret_file = "hook"

[[site]]
name = "prod"
repository = "acme/network"
maas_url = "http://maas.example:5240/MAAS/"
maas_api_key_file = "maas.key"
"#;

fn parsed(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect::<BTreeMap<_, _>>();
    Config::parse(text, Path::new("/etc/planebot"), &variables)
}

fn errors(text: &str, variables: &[(&str, &str)]) -> String {
    parsed(text, variables).unwrap_err().to_string()
}

#[test]
fn a_small_file_is_enough_and_its_paths_are_relative_to_its_folder() {
    let config = parsed(SMALL, &[]).unwrap();
    let github = config.github.as_ref().unwrap();
    assert_eq!(github.api_url, "https://api.github.com");
    assert_eq!(
        github.identity,
        Identity::App {
            id: 7,
            private_key: Secret::File("/etc/planebot/key.pem".into())
        }
    );
    let store = config.store.address().unwrap();
    assert_eq!(store.file(), Some("/etc/planebot/planebot.db"));
    let site = config.site("prod").unwrap();
    assert_eq!(site.path, "topology/prod");
    assert_eq!(site.runbooks, "runbooks");
    assert_eq!(site.maas_url, "http://maas.example:5240/MAAS");
    assert_eq!(site.policy, SitePolicy::default());
    assert!(site.owns("topology/prod/oam.yaml"));
    assert!(!site.owns("topology/production/oam.yaml"));
    assert_eq!(config.sites_of("Acme/Network").count(), 1);
}

#[test]
fn every_setting_is_read() {
    let config = parsed(
        r#"
        [server]
        listen = "[::]:9000"
        body_limit_bytes = 1048576
        public_url = "https://planebot.example/"
        [github]
        api_url = "https://ghes.example/api/v3/"
        token_file = "/run/token"
        webhook_secret_file = "hook"
        previous_webhook_secret_file = "hook.old"
        previous_webhook_secret_until = 2026-12-01
        [store]
        url = "sqlite://p.db"
        [[site]]
        name = "prod"
        repository = "acme/network"
        path = "topology"
        runbooks = "ops/runbooks"
        maas_url = "http://maas.example:5240/MAAS"
        [site.operators]
        users = ["alice", { login = "bob", id = 42 }]
        teams = ["acme/net-ops"]
        [site.policy]
        settle_seconds = 120
        unknown_pause_seconds = 100
        max_moved_subnets = 0
        max_deletions_share = 0.25
        two_person = true
        windows = ["mon-fri 08:00-16:00"]
        [site.evidence]
        juju_models = ["a.json", "https://juju.example/models"]
        jumphost_addresses = "jumphost.json"
        "#,
        &[],
    )
    .unwrap();
    let github = config.github.as_ref().unwrap();
    assert_eq!(github.api_url, "https://ghes.example/api/v3");
    assert_eq!(
        github.previous_webhook_secret,
        Some((
            Secret::File("/etc/planebot/hook.old".into()),
            Timestamp(1_796_083_200_000)
        ))
    );
    let site = &config.sites[0];
    assert_eq!(site.policy.max_deletions_per_mille, Some(250));
    assert_eq!(site.policy.max_moved_subnets, 0);
    assert_eq!(site.operators.users[1].id, Some(42));
    assert_eq!(site.operators.teams[0].to_string(), "acme/net-ops");
    assert_eq!(
        site.evidence.juju_models,
        [
            EvidenceLocation::File("/etc/planebot/a.json".into()),
            EvidenceLocation::Url("https://juju.example/models".to_owned())
        ]
    );
}

#[test]
fn a_lease_outlasts_the_requests_of_its_holder() {
    let with = |server: &str, policy: &str| {
        format!("[server]\n{server}\n{SMALL}[site.policy]\n{policy}\n")
    };
    let usual = parsed(SMALL, &[]).unwrap();
    assert_eq!(usual.server.takeover_seconds, 30);
    assert_eq!(usual.sites[0].policy.lease_seconds, 180);
    let quick = with(
        "takeover_seconds = 10",
        "unknown_pause_seconds = 1\nlease_seconds = 11",
    );
    let quick = parsed(&quick, &[]).unwrap();
    assert_eq!(quick.server.takeover_seconds, 10);
    assert_eq!(quick.sites[0].policy.lease_ms(), 11_000);
    // A longer pause alone makes the lease longer.
    let slow = parsed(&with("", "unknown_pause_seconds = 300"), &[]).unwrap();
    assert_eq!(slow.sites[0].policy.lease_seconds, 310);
    let hasty = with("takeover_seconds = 9", "lease_seconds = 104");
    assert_snapshot!(errors(&hasty, &[]), @"
    `server.takeover_seconds` must be from 10 to 86400: the store alone may take 5 s to answer
    site `prod`: `lease_seconds` must be from 105 to 86400: 10 s more than `unknown_pause_seconds`, during which MAAS may still be working on a request
    ");
    let variables = [
        ("PLANEBOT_SERVER_TAKEOVER_SECONDS", "60"),
        ("PLANEBOT_SITE_PROD_POLICY_LEASE_SECONDS", "600"),
    ];
    let set = parsed(SMALL, &variables).unwrap();
    assert_eq!(set.server.takeover_seconds, 60);
    assert_eq!(set.sites[0].policy.lease_seconds, 600);
}

#[test]
fn a_misspelt_key_is_shown_with_its_line_and_a_caret() {
    assert_snapshot!(errors(&SMALL.replace("app_id", "app_ip"), &[]), @"
    TOML parse error at line 3, column 1
      |
    3 | app_ip = 7
      | ^^^^^^
    unknown field `app_ip`, expected one of `api_url`, `app_id`, `private_key_file`, `token_file`, `webhook_secret_file`, `previous_webhook_secret_file`, `previous_webhook_secret_until`
    ");
}

#[test]
fn all_errors_are_shown_at_once() {
    assert_snapshot!(
        errors(
            r#"
            [server]
            listen = "everywhere"
            [github]
            api_url = "https://user:hunter2@api.example"
            [store]
            url = "mysql://root:hunter2@db"
            [[site]]
            name = "Prod"
            repository = "network"
            path = "../topology"
            maas_url = "ftp://maas"
            operators = { users = ["al ice"], teams = ["net-ops"] }
            policy = { windows = ["sometimes"], max_deletions_share = 2.0 }
            "#,
            &[],
        ),
        @"
        `server.listen`: `everywhere` is not an address with a port, such as `0.0.0.0:8080`
        `github.api_url` must be a URL that starts with `http://` or `https://`, without a user, a password or a fragment
        `[github]` needs an app (`app_id` and `private_key_file`) or a token (`token_file`)
        `store.url`: `mysql://…` is not a store address: write `sqlite://FILE` or `postgres://USER@HOST/DATABASE`
        `Prod` is not a site name: use at most 40 lower-case letters, digits and `-`, starting with a letter
        site `Prod`: `repository` must be `owner/name`, not `network`
        site `Prod`: `path` must be a folder inside the repository, not `../topology`
        site `Prod`: `maas_url` must be a URL that starts with `http://` or `https://`, without a user, a password or a fragment
        site `Prod`: `al ice` is not a GitHub login
        site `Prod`: `net-ops` is not a team: write `org/slug`
        site `Prod`: `sometimes` is not a window: write `mon-fri 08:00-16:00` or `sat,sun 00:00-24:00`, in UTC
        site `Prod`: `max_deletions_share` must be from 0 to 1, not 2
        "
    );
}

#[test]
fn two_sites_must_not_share_a_folder() {
    let second = r#"
        [[site]]
        name = "lab"
        repository = "Acme/network"
        path = "topology/prod/lab"
        maas_url = "http://maas.example"
    "#;
    assert_snapshot!(errors(&format!("{SMALL}{second}"), &[]), @"sites `prod` and `lab` share a folder of `Acme/network`: give each a `path` of its own");
}

#[test]
fn a_site_may_name_several_regions() {
    let first = "http://maas.example:5240/MAAS/";
    assert!(SMALL.contains(first));
    let several = |urls: &str| SMALL.replace(&format!("\"{first}\""), urls);
    let text = several("[\"http://r1.example/MAAS/\", \"http://r2.example/MAAS\"]");
    let site = &parsed(&text, &[]).unwrap().sites[0];
    assert_eq!(site.maas_url, "http://r1.example/MAAS");
    assert_eq!(site.more_maas_urls, ["http://r2.example/MAAS"]);
    let variable = (
        "PLANEBOT_SITE_PROD_MAAS_URL",
        "http://a/MAAS, http://b/MAAS",
    );
    let site = &parsed(SMALL, &[variable]).unwrap().sites[0];
    assert_eq!(
        (site.maas_url.as_str(), site.more_maas_urls.len()),
        ("http://a/MAAS", 1)
    );
    let twice = several("[\"http://r1.example/MAAS\", \"http://r1.example/MAAS/\"]");
    assert_snapshot!(errors(&twice, &[]), @"site `prod`: `maas_url` names `http://r1.example/MAAS` twice: remove one");
    assert_snapshot!(errors(&several("[]"), &[]), @"site `prod`: `maas_url` must be a URL that starts with `http://` or `https://`, without a user, a password or a fragment");
}

#[test]
fn variables_override_the_file() {
    let config = parsed(
        SMALL,
        &[
            ("PLANEBOT_SERVER_LISTEN", "0.0.0.0:80"),
            ("PLANEBOT_GITHUB_API_URL", "http://127.0.0.1:4500"),
            ("PLANEBOT_STORE_URL", "sqlite:///var/lib/p.db"),
            ("PLANEBOT_SITE_PROD_MAAS_URL", "http://other:5240/MAAS"),
            ("PLANEBOT_SITE_PROD_OPERATORS_USERS", "alice, bob"),
            ("PLANEBOT_MAAS_URL", "belongs to the command line"),
        ],
    )
    .unwrap();
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:80");
    assert_eq!(config.github.unwrap().api_url, "http://127.0.0.1:4500");
    assert_eq!(config.store.url.file(), Some("/var/lib/p.db"));
    assert_eq!(config.sites[0].maas_url, "http://other:5240/MAAS");
    assert_eq!(config.sites[0].operators.users.len(), 2);
}

#[test]
fn a_misspelt_variable_is_refused() {
    assert_snapshot!(
        errors(
            SMALL,
            &[
                ("PLANEBOT_GITHUB_APPID", "7"),
                ("PLANEBOT_GITHUB_APP_ID", "seven"),
                ("PLANEBOT_SITE_LAB_PATH", "topology"),
            ],
        ),
        @"
        `PLANEBOT_GITHUB_APPID` is not the variable of any setting: check its spelling
        `PLANEBOT_GITHUB_APP_ID` must be a whole number
        `PLANEBOT_SITE_LAB_PATH` is not the variable of any setting: check its spelling
        "
    );
}

#[test]
fn a_secret_comes_from_a_file_or_a_variable_and_is_never_shown() {
    let without = SMALL.replace("webhook_secret_file = \"hook\"", "");
    let config = parsed(
        &without,
        &[("PLANEBOT_GITHUB_WEBHOOK_SECRET", "s3cr3t-in-a-variable")],
    )
    .unwrap();
    assert!(!format!("{config:?}").contains("s3cr3t"));
    let secrets = config.github.unwrap().secrets().unwrap();
    assert!(!format!("{secrets:?}").contains("s3cr3t"));
    assert_snapshot!(
        errors(SMALL, &[("PLANEBOT_GITHUB_WEBHOOK_SECRET", "twice")]),
        @"`github.webhook_secret_file` and `PLANEBOT_GITHUB_WEBHOOK_SECRET` are both set: remove one"
    );
}

#[test]
fn an_empty_webhook_secret_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hook"), " \n").unwrap();
    let config = Config::parse(SMALL, folder.path(), &BTreeMap::new()).unwrap();
    let refused = config.github.unwrap().secrets().unwrap_err().to_string();
    assert!(refused.ends_with("is empty"), "{refused}");
    assert!(Secrets::new(SecretString::from("")).is_err());
}

#[test]
fn the_line_end_of_a_secret_file_is_not_part_of_the_secret() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hook"), "abc\r\n").unwrap();
    let secret = Secret::File(folder.path().join("hook")).read().unwrap();
    assert_eq!(secret.expose_secret(), "abc");
}

#[test]
fn a_missing_file_is_named() {
    let missing = Config::load(Path::new("/nowhere/planebot.toml"), &BTreeMap::new());
    assert_eq!(
        missing.unwrap_err().to_string(),
        "cannot read `/nowhere/planebot.toml`"
    );
}

#[test]
fn threat_52_a_sites_folders_stay_inside_its_repository() {
    for folder in [
        "..",
        "../runbooks",
        "/etc",
        "a/../../b",
        "runbooks/",
        "a//b",
        "a\\b",
        "./a",
        "",
    ] {
        for key in ["path", "runbooks"] {
            let said = errors(&format!("{SMALL}\n{key} = '{folder}'\n"), &[]);
            assert!(
                said.contains("must be a folder inside the repository"),
                "{key} = {folder}: {said}"
            );
        }
    }
}

#[test]
fn the_databases_password_comes_from_a_file_or_a_variable_and_is_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pw"), "hunter2 @\n").unwrap();
    let url = "postgres://planebot@db.example/planebot?sslmode=verify-full";
    let file = format!("[store]\nurl = \"{url}\"\npassword_file = \"pw\"\n");
    let full = "postgres://planebot:hunter2%20%40@db.example/planebot?sslmode=verify-full";
    let variables = |variables: &[(&str, &str)]| {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        variables.iter().map(owned).collect::<BTreeMap<_, _>>()
    };
    for (text, variables) in [
        (file.clone(), variables(&[])),
        (
            file.replace("password_file = \"pw\"", ""),
            variables(&[("PLANEBOT_STORE_PASSWORD", "hunter2 @")]),
        ),
        (
            String::new(),
            variables(&[
                ("PLANEBOT_STORE_URL", url),
                ("PLANEBOT_STORE_PASSWORD_FILE", "pw"),
            ]),
        ),
        (String::new(), variables(&[("PLANEBOT_STORE_URL", full)])),
    ] {
        let config = Config::parse(&text, folder.path(), &variables).unwrap();
        let address = config.store.address().unwrap();
        assert_eq!(address, journal::StoreAddress::parse(full).unwrap());
        let shown = format!("{config:?} {address} {address:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let twice = file.replace("planebot@", "planebot:hunter2@");
    assert_snapshot!(errors(&twice, &[]), @"`store.url` and `store.password_file` both hold a password: remove one");
    let misspelt = file.replace("?sslmode", "?sslmod");
    assert_snapshot!(errors(&misspelt, &[]), @"`store.url`: the store's address is not `postgres://USER@HOST/DATABASE`: only these settings may follow the `?`: application_name, dbname, host, options, port, sslcert, sslkey, sslmode, sslrootcert and user");
    assert_snapshot!(errors("[store]\npassword_file = \"pw\"\n", &[]), @"`store.password_file` is set, but `store.url` is a file, which takes no password: remove it");
}

#[test]
fn a_line_with_the_databases_password_is_not_shown_whatever_is_wrong_with_it() {
    let url = "postgres://planebot:hunter2@db.example/planebot";
    for text in [
        format!("[store]\nurl = \"{url}"),
        format!("[store]\nurl = {url}"),
        format!("store = \"{url}\""),
        format!("[store]\nurl = [\"{url}\"]"),
        format!("[store]\nurl = \"{url}\" extra"),
    ] {
        let said = errors(&text, &[]);
        assert!(!said.contains("hunter2"), "{said}");
    }
    assert_snapshot!(errors(&format!("\n[store]\nurll = \"{url}\"\n"), &[]), @"TOML parse error at line 3, which may hold a password and is not shown: unknown field `urll`, expected one of `url`, `password_file`, `keep_days`");
}

#[test]
fn the_log_is_set_in_the_file_and_overridden_by_variables() {
    let usual = parsed(SMALL, &[]).unwrap().server;
    assert_eq!(
        (usual.log.as_str(), usual.log_format),
        ("info", LogFormat::Text)
    );
    let text = format!("[server]\nlog = 'warn, github=debug'\nlog_format = 'json'\n{SMALL}");
    let set = parsed(&text, &[]).unwrap().server;
    assert_eq!(
        (set.log.as_str(), set.log_format),
        ("warn,github=debug", LogFormat::Json)
    );
    let variables = [
        ("PLANEBOT_SERVER_LOG", "error"),
        ("PLANEBOT_SERVER_LOG_FORMAT", "text"),
    ];
    let set = parsed(&text, &variables).unwrap().server;
    assert_eq!(
        (set.log.as_str(), set.log_format),
        ("error", LogFormat::Text)
    );
}

#[test]
fn an_invalid_log_setting_is_shown_with_its_line() {
    assert_snapshot!(errors("[server]\nlog = 'inof,github=debug'\n", &[]), @"
    TOML parse error at line 2, column 7
      |
    2 | log = 'inof,github=debug'
      |       ^^^^^^^^^^^^^^^^^^^
    `inof,github=debug` is not a log filter: write a level (`error`, `warn`, `info`, `debug`, `trace` or `off`), or levels by crate, such as `info,github=debug`
    ");
    assert_snapshot!(errors("[server]\nlog_format = 'xml'\n", &[]), @"
    TOML parse error at line 2, column 14
      |
    2 | log_format = 'xml'
      |              ^^^^^
    unknown variant `xml`, expected `text` or `json`
    ");
    assert_snapshot!(
        errors(SMALL, &[("PLANEBOT_SERVER_LOG", "inof"), ("PLANEBOT_SERVER_LOG_FORMAT", "xml")]),
        @"
    `PLANEBOT_SERVER_LOG` must be a log filter: a level, or levels by crate, such as `info,github=debug`
    `PLANEBOT_SERVER_LOG_FORMAT` must be `text` or `json`
    "
    );
}
