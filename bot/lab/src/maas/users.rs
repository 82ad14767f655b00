//! Endpoints of users and of the caller's own keys (3.7.3 `maasserver/api/users.py`, `api/account.py`).

use serde_json::{Value, json};

use super::answer::{
    ApiCaller, MaasAnswer, admin_to_create, bad_method, missing, no_content, plain,
};
use super::form::{Form, FormErrors, field_error};
use super::parse;
use super::store::LabMaas;
use crate::wire::LabResponse;

/// MAAS's own user. It is in the list, and nobody can log in as it.
const WORKER: &str = "MAAS";

impl LabMaas {
    /// The caller's API keys, including secrets.
    pub(crate) fn tokens(&self, caller: &ApiCaller) -> LabResponse {
        let mine = self.users.iter().filter(|user| user.name == caller.name);
        let tokens = mine.map(|user| {
            json!({"name": "MAAS consumer", "token": format!("{}:{}:{}", user.consumer, user.token, user.secret)})
        });
        LabResponse::json(200, &tokens.collect())
    }

    /// Every user sees all users; administrators create and delete them.
    pub(crate) fn users(
        &mut self,
        method: &str,
        rest: &[&str],
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        if method != "GET" {
            admin_to_create(caller)?;
        }
        let known = |name: &str| name == WORKER || self.users.iter().any(|user| user.name == name);
        match (method, rest) {
            ("GET", []) => {
                let names = std::iter::once(WORKER);
                let names = names.chain(self.users.iter().map(|user| user.name.as_str()));
                let all = names.map(|name| self.show_user(name));
                Ok(LabResponse::json(200, &all.collect()))
            }
            ("POST", []) => self.create_user(form),
            (_, [name, ..]) if !known(name) => Err(missing("User")),
            ("GET", [name, ..]) => Ok(LabResponse::json(200, &self.show_user(name))),
            ("DELETE", [name]) if **name == caller.name => {
                Err(plain(400, "An administrator cannot self-delete."))
            }
            ("DELETE", [name]) => self.delete_user(name),
            _ => Err(bad_method()),
        }
    }

    fn create_user(&mut self, form: &Form) -> MaasAnswer {
        let mut values = Vec::new();
        for name in ["username", "email", "password", "is_superuser"] {
            let value = form.raw(name);
            values.push(value.ok_or_else(|| plain(400, format!("No provided {name}!")))?);
        }
        let (name, admin) = (values[0], parse::switch(values[3]));
        let Some(admin) = admin else {
            let message = "Invalid is_superuser: Value should be 'true' or 'false'";
            return Err(plain(400, message));
        };
        let mut errors = FormErrors::default();
        let allowed = |c: char| c.is_alphanumeric() || "@.+-_".contains(c);
        if name.is_empty() || !name.chars().all(allowed) {
            errors.add("username", "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.");
        } else if name == WORKER || self.users.iter().any(|user| user.name == name) {
            errors.add("username", "A user with that username already exists.");
        }
        errors.done()?;
        self.add_user(name, admin);
        Ok(LabResponse::json(200, &self.show_user(name)))
    }

    /// A user with machines or ranges stays.
    fn delete_user(&mut self, name: &str) -> MaasAnswer {
        let own = |owner: &Option<String>| owner.as_deref() == Some(name);
        let used = self.nodes.values().any(|node| own(&node.owner))
            || self.ranges.values().any(|range| own(&range.user))
            || self.addresses.values().any(|row| own(&row.user));
        if used || name == WORKER {
            let message = format!("User {name} cannot be deleted: it still owns resources.");
            return Err(field_error("__all__", message));
        }
        self.users.retain(|user| user.name != name);
        Ok(no_content())
    }

    pub(crate) fn show_user(&self, name: &str) -> Value {
        let mut users = self.users.iter();
        let admin = name == WORKER || users.any(|user| user.name == name && user.admin);
        json!({
            "is_superuser": admin, "username": name, "email": format!("{name}@example.com"), "is_local": true,
            "resource_uri": format!("/MAAS/api/2.0/users/{name}/"),
        })
    }
}
