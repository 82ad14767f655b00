//! Two versions on one store during a rolling upgrade: what the one before writes is read rightly by this one, and the
//! other way round. Its statements are here word for word, as they were.

use journal::{Kept, Lanes, Room, Setback, Settled, Unsaid};
use sqlx::AnyConnection;

use crate::{NOW, Store, delivery, later, reply};

const KEEP: &str = "INSERT INTO delivery (id, event, received, place, body)
             VALUES ($1, $2, $3, (SELECT COALESCE(MAX(place), 0) + 1 FROM delivery), $4)
             ON CONFLICT (id) DO NOTHING";
const NEXT_DELIVERY: &str =
    "SELECT id, event, body, attempts FROM delivery WHERE settled IS NULL ORDER BY place LIMIT 1";
const BEGIN: &str = "UPDATE delivery SET attempts = attempts + 1 WHERE id = $1";
const SETTLE: &str =
    "UPDATE delivery SET settled = $1, verdict = $2 WHERE id = $3 AND settled IS NULL";
const OWE: &str =
    "INSERT INTO reply (key, place, repository, kind, target, body, owed, not_before)
             VALUES ($1, (SELECT COALESCE(MAX(place), 0) + 1 FROM reply), $2, $3, $4, $5, $6, $6)
             ON CONFLICT (key) DO UPDATE SET
                 place = CASE WHEN reply.body = excluded.body THEN reply.place ELSE excluded.place END,
                 posted = CASE WHEN reply.body = excluded.body THEN reply.posted ELSE NULL END,
                 body = excluded.body";
const NEXT_REPLY: &str = "SELECT key, repository, kind, target, body, remote, attempts FROM reply
             WHERE posted IS NULL AND not_before <= $1 ORDER BY place LIMIT 1";
const POSTED: &str =
    "UPDATE reply SET remote = COALESCE($1, remote), attempts = 0, failure = NULL, not_before = $2,
                 posted = CASE WHEN body = $3 THEN $4 ELSE NULL END
             WHERE key = $5";
const PUT_PULL: &str =
    "INSERT INTO pull (repository, number, site, merged_place, stage, record) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (repository, number) DO UPDATE SET site = excluded.site, merged_place = excluded.merged_place,
                 stage = excluded.stage, record = excluded.record";

/// The version before.
struct Before(AnyConnection);

impl Before {
    async fn keep(&mut self, id: &str) {
        let told = delivery(id);
        sqlx::query(KEEP)
            .bind(&told.id)
            .bind(&told.event)
            .bind(NOW.0)
            .bind(&told.body)
            .execute(&mut self.0)
            .await
            .unwrap();
    }

    async fn next_delivery(&mut self) -> Option<(String, i64)> {
        let row: Option<(String, String, String, i64)> = sqlx::query_as(NEXT_DELIVERY)
            .fetch_optional(&mut self.0)
            .await
            .unwrap();
        let (id, _, _, attempts) = row?;
        sqlx::query(BEGIN)
            .bind(&id)
            .execute(&mut self.0)
            .await
            .unwrap();
        Some((id, attempts))
    }

    async fn settle(&mut self, id: &str, verdict: &str) {
        sqlx::query(SETTLE)
            .bind(NOW.0)
            .bind(verdict)
            .bind(id)
            .execute(&mut self.0)
            .await
            .unwrap();
    }

    async fn owe(&mut self, key: &str, body: &str) {
        sqlx::query(OWE)
            .bind(key)
            .bind("o/r")
            .bind("\"comment\"")
            .bind(1_i64)
            .bind(body)
            .bind(NOW.0)
            .execute(&mut self.0)
            .await
            .unwrap();
    }

    async fn next_reply(&mut self) -> Option<(String, String)> {
        type Row = (
            String,
            String,
            String,
            Option<i64>,
            String,
            Option<i64>,
            i64,
        );
        let row: Option<Row> = sqlx::query_as(NEXT_REPLY)
            .bind(later(9_000).0)
            .fetch_optional(&mut self.0)
            .await
            .unwrap();
        row.map(|(key, _, _, _, body, ..)| (key, body))
    }

    async fn posted(&mut self, (key, body): (&str, &str), at: i64) {
        sqlx::query(POSTED)
            .bind(77_i64)
            .bind(at)
            .bind(body)
            .bind(at)
            .bind(key)
            .execute(&mut self.0)
            .await
            .unwrap();
    }
}

pub(crate) async fn two_versions_work_side_by_side(it: Store) {
    // A store in memory is nobody else's.
    if it.url.is_none() {
        return;
    }
    let mut before = Before(it.raw().await);
    deliveries(&it, &mut before).await;
    replies(&it, &mut before).await;
    pulls(&it, &mut before).await;
    it.again().await.check().await.unwrap();
}

async fn deliveries(it: &Store, before: &mut Before) {
    let journal = &it.one;
    before.keep("a").await;
    assert_eq!(
        journal.keep(&delivery("a"), NOW).await.unwrap(),
        Kept::SeenBefore
    );
    journal.keep(&delivery("b"), NOW).await.unwrap();
    before.keep("c").await;
    let lanes = Lanes {
        pull: Some("1".to_owned()),
        branch: None,
    };
    // What the other kept is taken up, and fails; the other one takes it up too, in its own order.
    let next = journal.next_delivery(NOW).await.unwrap().unwrap();
    assert_eq!((next.delivery, next.attempts), (delivery("a"), 0));
    assert!(journal.take_up("a", &lanes).await.unwrap());
    journal
        .put_off("a", later(60_000), "502", Setback::Failed)
        .await
        .unwrap();
    assert!(!journal.take_up("b", &lanes).await.unwrap());
    let next = journal.next_delivery(NOW).await.unwrap().unwrap();
    assert_eq!(next.delivery.id, "c");
    assert_eq!(before.next_delivery().await, Some(("a".to_owned(), 1)));
    before.settle("a", "\"done\"").await;
    // Which frees the lane.
    let next = journal.next_delivery(NOW).await.unwrap().unwrap();
    assert_eq!(next.delivery.id, "b");
    assert!(journal.take_up("b", &lanes).await.unwrap());
    before.settle("b", "{\"parked\":\"no\"}").await;
    assert_eq!(journal.parked(9).await.unwrap()[0].why, "no");
    assert_eq!(journal.queue().await.unwrap(), (1, 1));
    journal.retry("b").await.unwrap();
    assert_eq!(before.next_delivery().await, Some(("b".to_owned(), 0)));
    for id in ["b", "c"] {
        journal.settle(id, &Settled::Done, NOW).await.unwrap();
    }
    assert_eq!(before.next_delivery().await, None);
}

async fn replies(it: &Store, before: &mut Before) {
    let journal = &it.one;
    before.owe("plan/1", "one").await;
    let owed = journal.next_reply(NOW, Room::All).await.unwrap().unwrap();
    assert_eq!(owed.reply, reply("plan/1", "one"));
    journal
        .not_posted("plan/1", Unsaid::GivenUp(NOW), "locked")
        .await
        .unwrap();
    assert_eq!(journal.next_reply(NOW, Room::All).await.unwrap(), None);
    // The other knows no giving up: it tries once more.
    let tried = before.next_reply().await.unwrap();
    assert_eq!(tried, ("plan/1".to_owned(), "one".to_owned()));
    // And other words of its are owed by both.
    before.owe("plan/1", "two").await;
    let owed = journal.next_reply(NOW, Room::All).await.unwrap().unwrap();
    assert_eq!(owed.reply.body, "two");
    before.posted(("plan/1", "two"), later(5_000).0).await;
    assert_eq!(
        journal.next_reply(later(9_000), Room::All).await.unwrap(),
        None
    );
    assert_eq!(journal.replies().await.unwrap(), (0, 0));
    let said = journal.reply("plan/1").await.unwrap().unwrap();
    assert_eq!(said.remote, Some(77));
    // What the other made counts, and once: not again when it is edited.
    assert_eq!(journal.made_since(NOW).await.unwrap().count, 1);
    journal
        .owe(&reply("plan/1", "three"), later(6_000))
        .await
        .unwrap();
    let edit = before.next_reply().await.unwrap();
    assert_eq!(edit.1, "three");
    let owed = journal.next_reply(later(9_000), Room::Edits).await.unwrap();
    journal
        .posted(&owed.unwrap(), crate::edited(), later(9_000), NOW)
        .await
        .unwrap();
    assert_eq!(journal.made_since(NOW).await.unwrap().count, 0);
    assert_eq!(before.next_reply().await, None);
}

async fn pulls(it: &Store, before: &mut Before) {
    let long = "x".repeat(5_000);
    sqlx::query(PUT_PULL)
        .bind("o/r")
        .bind(1_i64)
        .bind("s")
        .bind(None::<i64>)
        .bind("applied")
        .bind(&long)
        .execute(&mut before.0)
        .await
        .unwrap();
    // A row without a time begins to age when it is first seen.
    let idle = async |before, now| {
        let found = it.one.idle_pulls(&["applied"], before, now).await;
        found.unwrap().len()
    };
    assert_eq!(idle(later(50), later(100)).await, 0);
    assert_eq!(idle(later(100), later(200)).await, 0);
    assert_eq!(idle(later(101), later(200)).await, 1);
}
