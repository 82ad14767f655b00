use super::*;
use crate::config::Operators;

fn account(login: &str, id: u64) -> Account {
    Account {
        id,
        login: login.to_owned(),
        kind: "User".to_owned(),
    }
}

fn commenter(login: &str, id: u64) -> Commenter {
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

fn membership(membership: Membership) -> Memberships {
    Memberships::from([(team(), membership)])
}

fn apply(commenter: &Commenter, memberships: &Memberships) -> Result<Order, NotAdmitted> {
    roster().admit(Command::Apply(None), commenter, memberships)
}

#[track_caller]
fn refused(commenter: &Commenter, why: &str) {
    let refusal = apply(commenter, &Memberships::new()).unwrap_err();
    assert!(refusal.to_string().contains(why), "{refusal}");
}

#[test]
fn an_operator_gives_an_order() {
    let order = apply(&commenter("alice", 1), &Memberships::new()).unwrap();
    assert_eq!(order.by(), "alice");
    assert_eq!(order.entitlement(), &Entitlement::Named);
    assert_eq!(order.given_at(), Some((PullNumber(7), 100)));
    assert_eq!(order.command(), &Command::Apply(None));
    assert!(apply(&commenter("Alice", 1), &Memberships::new()).is_ok());
    assert!(apply(&commenter("bob", 42), &Memberships::new()).is_ok());
}

#[test]
fn anybody_may_read_and_only_operators_may_cause_writes() {
    let outsider = commenter("mallory", 9);
    for (command, admitted) in [
        (Command::Plan, true),
        (Command::Status, true),
        (Command::Help, true),
        (Command::Why("oam".to_owned()), true),
        (Command::Apply(None), false),
        (Command::Abort, false),
    ] {
        let order = roster().admit(command.clone(), &outsider, &Memberships::new());
        assert_eq!(order.is_ok(), admitted, "{command:?}");
        assert!(order.is_err() || order.unwrap().entitlement() == &Entitlement::Anybody);
    }
}

#[test]
fn only_deciding_memberships_are_looked_up() {
    let ask =
        |command: &Command, commenter: &Commenter| roster().teams_to_look_up(command, commenter);
    assert_eq!(ask(&Command::Abort, &commenter("carol", 3)), [team()]);
    assert!(ask(&Command::Abort, &commenter("alice", 1)).is_empty());
    assert!(ask(&Command::Plan, &commenter("carol", 3)).is_empty());
    let mut bot = commenter("carol", 3);
    bot.via_app = true;
    assert!(ask(&Command::Abort, &bot).is_empty());
}

#[test]
fn threat_14_an_outsider_is_refused() {
    let refusal = apply(
        &commenter("mallory", 9),
        &membership(Membership::Unseen("GitHub says 404".to_owned())),
    );
    insta::assert_snapshot!(refusal.unwrap_err(), @"@mallory is not on the roster; membership in team `acme/net-ops` is not confirmed: `GitHub says 404`");
}

#[test]
fn threat_15_an_operators_login_on_another_account_is_refused() {
    refused(&commenter("bob", 43), "another account");
    refused(&commenter("robert", 42), "not on the roster");
}

/// The association is never read from the delivery; membership decides.
#[test]
fn threat_16_an_owner_without_membership_is_refused() {
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
    refused(&Commenter::of(&event, comment), "not on the roster");
}

#[test]
fn threat_17_an_unconfirmed_membership_is_refused_with_the_reason() {
    let member = commenter("carol", 3);
    let order = apply(&member, &membership(Membership::Active)).unwrap();
    assert_eq!(order.entitlement(), &Entitlement::Member(team()));
    for (answer, why) in [
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
        let refusal = apply(&member, &membership(answer)).unwrap_err();
        assert!(refusal.to_string().contains(why), "{refusal}");
    }
    refused(&member, "not looked up");
}

#[test]
fn threat_18_entitlement_is_checked_again_and_may_be_lost() {
    let carol = account("carol", 3);
    assert!(
        roster()
            .entitlement(&carol, &membership(Membership::Active))
            .is_ok()
    );
    let gone = membership(Membership::Unseen("GitHub says 404".to_owned()));
    assert!(roster().entitlement(&carol, &gone).is_err());
}

#[test]
fn threat_19_nobody_can_act_for_an_operator() {
    let mut other = commenter("alice", 1);
    other.sender = Some(account("mallory", 9));
    refused(&other, "the action was @mallory's");

    let mut app = commenter("alice", 1);
    app.via_app = true;
    refused(&app, "an app wrote");

    for (login, kind) in [
        ("planebot[bot]", "Bot"),
        ("alice", "Bot"),
        ("alice", "Organization"),
        ("alice", "Mannequin"),
        ("alice", ""),
        ("planebot[bot]", "User"),
    ] {
        let mut bot = commenter(login, 1);
        for side in [&mut bot.author, &mut bot.sender] {
            side.as_mut().unwrap().kind = kind.to_owned();
        }
        refused(&bot, "not a person");
        assert!(
            roster()
                .admit(Command::Plan, &bot, &Memberships::new())
                .is_err(),
            "bots may not plan either"
        );
    }

    let mut ghost = commenter("alice", 1);
    ghost.author = None;
    refused(&ghost, "no longer exists");
    refused(&commenter("ghost", 10_137), "no longer exists");
    let mut unsent = commenter("alice", 1);
    unsent.sender = None;
    refused(&unsent, "no longer exists");
}

#[test]
fn threat_21_the_author_cannot_apply_if_two_people_are_required() {
    let strict = Roster {
        two_person: true,
        ..roster()
    };
    let mut own = commenter("alice", 1);
    own.opener = Some(account("alice", 1));
    let refusal = strict.admit(Command::Apply(None), &own, &Memberships::new());
    assert!(matches!(refusal, Err(NotAdmitted::OwnChange { .. })));
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
                &commenter("alice", 1),
                &Memberships::new()
            )
            .is_ok()
    );
}

#[test]
fn threat_27_an_edited_comment_gives_no_order() {
    let mut edited = commenter("alice", 1);
    edited.edited = true;
    refused(&edited, "edited");
}

#[test]
fn threat_28_a_comment_on_an_issue_gives_no_order() {
    let mut issue = commenter("alice", 1);
    issue.on_pull = false;
    refused(&issue, "this is an issue");
}
