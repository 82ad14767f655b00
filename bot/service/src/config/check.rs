//! From the file's tables to a configuration, or to everything that is wrong with them at once.
//!
//! Each table has a file of its own here. It must not know where a value came from: variables have been put over the file
//! before.

mod checker;
mod github;
mod policy;
mod server;
mod site;
mod words;

use std::collections::BTreeMap;
use std::path::Path;

use crate::config::file::{ConfigFile, StoreTable};
use crate::config::{Config, ConfigErrors, Site, StoreSettings, env, store};
use checker::Checker;

/// Checks every table.
pub(super) fn check(
    file: &ConfigFile,
    folder: &Path,
    variables: &BTreeMap<String, String>,
) -> Result<Config, ConfigErrors> {
    let mut checker = Checker::new(folder, variables);
    let server = server::check(&mut checker, &file.server);
    let github = file
        .github
        .as_ref()
        .and_then(|table| github::check(&mut checker, table));
    let store = store_settings(&mut checker, &file.store);
    let sites: Vec<Site> = file
        .site
        .iter()
        .map(|table| site::check(&mut checker, table))
        .collect();
    site::check_overlap(&mut checker, &sites);
    let errors = checker.into_errors();
    match store {
        Some(store) if errors.0.is_empty() => Ok(Config {
            server,
            github,
            store,
            sites,
        }),
        Some(_) | None => Err(errors),
    }
}

fn store_settings(checker: &mut Checker<'_>, table: &StoreTable) -> Option<StoreSettings> {
    let password = checker.secret(
        "`store.password_file`",
        table.password_file.as_ref(),
        env::STORE_PASSWORD,
    );
    store::check(table, password, checker.folder())
        .map_err(|error| checker.error(error))
        .ok()
}
