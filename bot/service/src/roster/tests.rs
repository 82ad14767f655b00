use super::*;
use crate::config::Operators;

fn account(login: &str, id: u64) -> Account {
    Account {
        id,
        login: login.to_owned(),
        kind: "User".to_owned(),
    }
}

fn asker(login: &str, id: u64) -> Commenter {
    Commenter {
        comment: 100,
        pull: PullNumber(7),
        on_pull: true,
        opener: Some(account("carol", 3)),
        author: Some(account(login, id)),
        sender: Some(account(login, id)),
        edited: false,
        via_app: false,
    }
}

fn team() -> Team {
    Team {
        org: "acme".to_owned(),
        slug: "net-ops".to_owned(),
    }
}

/// alice by login, bob pinned to 42, and the team acme/net-ops.
fn roster() -> Roster {
    let name = |login: &str, id| OperatorName {
        login: login.to_owned(),
        id,
    };
    Roster {
        operators: Operators {
            users: vec![name("alice", None), name("bob", Some(42))],
            teams: vec![team()],
        },
        two_person: false,
    }
}

fn looked(membership: Membership) -> Memberships {
    Memberships::from([(team(), membership)])
}

fn apply(asker: &Commenter, memberships: &Memberships) -> Result<Order, NotAdmitted> {
    roster().admit(Command::Apply(None), asker, memberships)
}

#[track_caller]
fn turned_away(asker: &Commenter, why: &str) {
    let away = apply(asker, &Memberships::new()).unwrap_err();
    assert!(away.to_string().contains(why), "{away}");
}

#[test]
fn an_operator_gives_an_order() {
    let order = apply(&asker("alice", 1), &Memberships::new()).unwrap();
    assert_eq!(order.by(), "alice");
    assert_eq!(order.standing(), &Entitlement::Named);
    assert_eq!(order.place(), Some((PullNumber(7), 100)));
    assert_eq!(order.command(), &Command::Apply(None));
    assert!(apply(&asker("Alice", 1), &Memberships::new()).is_ok());
    assert!(apply(&asker("bob", 42), &Memberships::new()).is_ok());
}

#[test]
fn anybody_may_ask_to_look_and_only_operators_what_leads_to_writes() {
    let stranger = asker("mallory", 9);
    for (command, admitted) in [
        (Command::Plan, true),
        (Command::Status, true),
        (Command::Help, true),
        (Command::Why("oam".to_owned()), true),
        (Command::Apply(None), false),
        (Command::Abort, false),
    ] {
        let order = roster().admit(command.clone(), &stranger, &Memberships::new());
        assert_eq!(order.is_ok(), admitted, "{command:?}");
        assert!(order.is_err() || order.unwrap().standing() == &Entitlement::Anybody);
    }
}

#[test]
fn only_what_decides_is_looked_up() {
    let ask = |command: &Command, asker: &Commenter| roster().teams_to_ask(command, asker);
    assert_eq!(ask(&Command::Abort, &asker("carol", 3)), [team()]);
    assert!(ask(&Command::Abort, &asker("alice", 1)).is_empty());
    assert!(ask(&Command::Plan, &asker("carol", 3)).is_empty());
    let mut bot = asker("carol", 3);
    bot.via_app = true;
    assert!(ask(&Command::Abort, &bot).is_empty());
}

#[test]
fn threat_14_a_stranger_is_turned_away() {
    let away = apply(
        &asker("mallory", 9),
        &looked(Membership::Unseen("GitHub says 404".to_owned())),
    );
    insta::assert_snapshot!(away.unwrap_err(), @"@mallory is not on the roster; team `acme/net-ops` was not seen to have them: `GitHub says 404`");
}

#[test]
fn threat_15_an_operators_login_on_another_account_is_turned_away() {
    turned_away(&asker("bob", 43), "another account");
    turned_away(&asker("robert", 42), "not on the roster");
}

/// The association is not even read from the delivery; membership decides.
#[test]
fn threat_16_an_owner_without_membership_is_turned_away() {
    let body = serde_json::json!({
        "action": "created",
        "issue": {"number": 7, "pull_request": {}, "user": {"id": 3, "login": "carol", "type": "User"}},
        "comment": {"id": 1, "body": "/apply", "author_association": "OWNER",
            "created_at": "2026-11-23T12:00:00Z", "updated_at": "2026-11-23T12:00:00Z",
            "user": {"id": 9, "login": "mallory", "type": "User"}},
        "repository": {"id": 1, "full_name": "acme/network"},
        "sender": {"id": 9, "login": "mallory", "type": "User"},
    });
    let delivery = journal::Delivery {
        id: "d-1".to_owned(),
        event: "issue_comment".to_owned(),
        body: body.to_string(),
    };
    let Some(github::webhook::event::Event::Repository(event)) =
        github::webhook::event::read(&delivery.event, &delivery.body).unwrap()
    else {
        panic!("no event")
    };
    let github::webhook::event::EventDetails::Commented(comment) = &event.details else {
        panic!("no comment")
    };
    turned_away(&Commenter::of(&event, comment), "not on the roster");
}

#[test]
fn threat_17_what_cannot_be_looked_up_is_a_no_with_the_reason() {
    let member = asker("carol", 3);
    let order = apply(&member, &looked(Membership::Active)).unwrap();
    assert_eq!(order.standing(), &Entitlement::Member(team()));
    for (membership, why) in [
        (Membership::Pending, "pending"),
        (
            Membership::Unseen(
                "GitHub says 404: not a member, or the team is not visible".to_owned(),
            ),
            "404",
        ),
        (Membership::Unseen("GitHub says 403".to_owned()), "403"),
        (Membership::Unseen("GitHub says 500".to_owned()), "500"),
        (
            Membership::Unseen("GitHub did not answer".to_owned()),
            "did not answer",
        ),
    ] {
        let away = apply(&member, &looked(membership)).unwrap_err();
        assert!(away.to_string().contains(why), "{away}");
    }
    turned_away(&member, "nobody looked");
}

#[test]
fn threat_18_standing_is_asked_again_and_may_be_gone() {
    let carol = account("carol", 3);
    assert!(
        roster()
            .standing(&carol, &looked(Membership::Active))
            .is_ok()
    );
    let gone = looked(Membership::Unseen("GitHub says 404".to_owned()));
    assert!(roster().standing(&carol, &gone).is_err());
}

#[test]
fn threat_19_nobody_speaks_for_an_operator() {
    let mut other = asker("alice", 1);
    other.sender = Some(account("mallory", 9));
    turned_away(&other, "the action was @mallory's");

    let mut app = asker("alice", 1);
    app.via_app = true;
    turned_away(&app, "an app wrote");

    for (login, kind) in [
        ("planebot[bot]", "Bot"),
        ("alice", "Bot"),
        ("alice", "Organization"),
        ("alice", "Mannequin"),
        ("alice", ""),
        ("planebot[bot]", "User"),
    ] {
        let mut bot = asker(login, 1);
        for side in [&mut bot.author, &mut bot.sender] {
            side.as_mut().unwrap().kind = kind.to_owned();
        }
        turned_away(&bot, "not a person");
        assert!(
            roster()
                .admit(Command::Plan, &bot, &Memberships::new())
                .is_err(),
            "bots do not even plan"
        );
    }

    let mut ghost = asker("alice", 1);
    ghost.author = None;
    turned_away(&ghost, "is gone");
    turned_away(&asker("ghost", 10_137), "is gone");
    let mut unsent = asker("alice", 1);
    unsent.sender = None;
    turned_away(&unsent, "is gone");
}

#[test]
fn threat_21_the_author_does_not_apply_where_two_people_are_asked_for() {
    let strict = Roster {
        two_person: true,
        ..roster()
    };
    let mut own = asker("alice", 1);
    own.opener = Some(account("alice", 1));
    let away = strict.admit(Command::Apply(None), &own, &Memberships::new());
    assert!(matches!(away, Err(NotAdmitted::OwnChange { .. })));
    assert!(
        strict
            .admit(Command::Abort, &own, &Memberships::new())
            .is_ok()
    );
    assert!(
        roster()
            .admit(Command::Apply(None), &own, &Memberships::new())
            .is_ok()
    );
    assert!(
        strict
            .admit(
                Command::Apply(None),
                &asker("alice", 1),
                &Memberships::new()
            )
            .is_ok()
    );
}

#[test]
fn threat_27_an_edited_comment_gives_no_order() {
    let mut edited = asker("alice", 1);
    edited.edited = true;
    turned_away(&edited, "edited");
}

#[test]
fn threat_28_a_comment_on_an_issue_gives_no_order() {
    let mut issue = asker("alice", 1);
    issue.on_pull = false;
    turned_away(&issue, "this is an issue");
}
