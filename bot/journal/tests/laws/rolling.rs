//! Two versions on one store during a rolling upgrade: each reads correctly what the other writes. The older version's
//! statements are here word for word.

use journal::{DeferReason, Lanes, OutboxMessage, RateTier, SendFailure, Settled, Stored};
use sqlx::AnyConnection;

use crate::{NOW, Store, as_message, created, delivery, edited, later, message, rows, text_of};

const STORE_DELIVERY: &str = "INSERT INTO delivery (id, event, received, place, body)
             VALUES ($1, $2, $3, (SELECT COALESCE(MAX(place), 0) + 1 FROM delivery), $4)
             ON CONFLICT (id) DO NOTHING";
const NEXT_DELIVERY: &str =
    "SELECT id, event, body, attempts FROM delivery WHERE settled IS NULL ORDER BY place LIMIT 1";
const BEGIN: &str = "UPDATE delivery SET attempts = attempts + 1 WHERE id = $1";
const SETTLE: &str =
    "UPDATE delivery SET settled = $1, verdict = $2 WHERE id = $3 AND settled IS NULL";
const ENQUEUE: &str =
    "INSERT INTO reply (key, place, repository, kind, target, body, owed, not_before)
             VALUES ($1, (SELECT COALESCE(MAX(place), 0) + 1 FROM reply), $2, $3, $4, $5, $6, $6)
             ON CONFLICT (key) DO UPDATE SET
                 place = CASE WHEN reply.body = excluded.body THEN reply.place ELSE excluded.place END,
                 posted = CASE WHEN reply.body = excluded.body THEN reply.posted ELSE NULL END,
                 body = excluded.body";
const NEXT_MESSAGE: &str = "SELECT key, repository, kind, target, body, remote, attempts FROM reply
             WHERE posted IS NULL AND not_before <= $1 ORDER BY place LIMIT 1";
const MARK_SENT: &str =
    "UPDATE reply SET remote = COALESCE($1, remote), attempts = 0, failure = NULL, not_before = $2,
                 posted = CASE WHEN body = $3 THEN $4 ELSE NULL END
             WHERE key = $5";
const PUT_PULL: &str =
    "INSERT INTO pull (repository, number, site, merged_place, stage, record) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (repository, number) DO UPDATE SET site = excluded.site, merged_place = excluded.merged_place,
                 stage = excluded.stage, record = excluded.record";

/// The version before.
struct Older(AnyConnection);

impl Older {
    async fn store_delivery(&mut self, id: &str) {
        let delivery = delivery(id);
        sqlx::query(STORE_DELIVERY)
            .bind(&delivery.id)
            .bind(&delivery.event)
            .bind(NOW.0)
            .bind(&delivery.body)
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

    async fn enqueue(&mut self, key: &str, text: &str) {
        self.enqueue_kind(key, "\"comment\"", text).await;
    }

    async fn enqueue_kind(&mut self, key: &str, kind: &str, body: &str) {
        sqlx::query(ENQUEUE)
            .bind(key)
            .bind("o/r")
            .bind(kind)
            .bind(1_i64)
            .bind(body)
            .bind(NOW.0)
            .execute(&mut self.0)
            .await
            .unwrap();
    }

    async fn next_message(&mut self) -> Option<(String, String)> {
        type Row = (
            String,
            String,
            String,
            Option<i64>,
            String,
            Option<i64>,
            i64,
        );
        let row: Option<Row> = sqlx::query_as(NEXT_MESSAGE)
            .bind(later(9_000).0)
            .fetch_optional(&mut self.0)
            .await
            .unwrap();
        row.map(|(key, _, _, _, body, ..)| (key, body))
    }

    async fn mark_sent(&mut self, (key, body): (&str, &str), at: i64) {
        sqlx::query(MARK_SENT)
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

pub(crate) async fn two_versions_share_a_store(it: Store) {
    // No other process can open a store in memory.
    if it.url.is_none() {
        return;
    }
    let mut older = Older(it.raw().await);
    deliveries(&it, &mut older).await;
    outbox(&it, &mut older).await;
    payloads(&it, &mut older).await;
    pulls(&it, &mut older).await;
    it.again().await.check().await.unwrap();
}

async fn deliveries(it: &Store, older: &mut Older) {
    let journal = &it.one;
    older.store_delivery("a").await;
    assert_eq!(
        journal.store_delivery(&delivery("a"), NOW).await.unwrap(),
        Stored::Duplicate
    );
    journal.store_delivery(&delivery("b"), NOW).await.unwrap();
    older.store_delivery("c").await;
    let lanes = Lanes {
        pull: Some("1".to_owned()),
        branch: None,
    };
    // This version starts a delivery that the older one stored, and it fails. The older one starts it too, in its own
    // order.
    let next = journal.next_delivery(NOW).await.unwrap().unwrap();
    assert_eq!((next.delivery, next.attempts), (delivery("a"), 0));
    assert!(journal.start_delivery("a", &lanes).await.unwrap());
    journal
        .defer("a", later(60_000), "502", DeferReason::Failed)
        .await
        .unwrap();
    assert!(!journal.start_delivery("b", &lanes).await.unwrap());
    let next = journal.next_delivery(NOW).await.unwrap().unwrap();
    assert_eq!(next.delivery.id, "c");
    assert_eq!(older.next_delivery().await, Some(("a".to_owned(), 1)));
    older.settle("a", "\"done\"").await;
    // That unblocks the lane.
    let next = journal.next_delivery(NOW).await.unwrap().unwrap();
    assert_eq!(next.delivery.id, "b");
    assert!(journal.start_delivery("b", &lanes).await.unwrap());
    older.settle("b", "{\"parked\":\"no\"}").await;
    assert_eq!(journal.dead_letters(9).await.unwrap()[0].why, "no");
    assert_eq!(journal.queue_depth().await.unwrap(), (1, 1));
    journal.retry("b").await.unwrap();
    assert_eq!(older.next_delivery().await, Some(("b".to_owned(), 0)));
    for id in ["b", "c"] {
        journal.settle(id, &Settled::Done, NOW).await.unwrap();
    }
    assert_eq!(older.next_delivery().await, None);
}

async fn outbox(it: &Store, older: &mut Older) {
    let journal = &it.one;
    older.enqueue("plan/1", "one").await;
    let pending = journal
        .next_message(NOW, RateTier::All)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(as_message(&pending), message("plan/1", "one"));
    journal
        .mark_failed("plan/1", SendFailure::GivenUp(NOW), "locked")
        .await
        .unwrap();
    assert_eq!(
        journal.next_message(NOW, RateTier::All).await.unwrap(),
        None
    );
    // The older version does not know that messages are given up: it tries once more.
    let tried = older.next_message().await.unwrap();
    assert_eq!(tried, ("plan/1".to_owned(), "one".to_owned()));
    // A new text that it enqueues is pending for both.
    older.enqueue("plan/1", "two").await;
    let pending = journal
        .next_message(NOW, RateTier::All)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(text_of(&pending), "two");
    older.mark_sent(("plan/1", "two"), later(5_000).0).await;
    assert_eq!(
        journal
            .next_message(later(9_000), RateTier::All)
            .await
            .unwrap(),
        None
    );
    assert_eq!(journal.outbox_depth().await.unwrap(), (0, 0));
    let sent = journal.message("plan/1").await.unwrap().unwrap();
    assert_eq!(sent.remote, Some(77));
    // What the older version created counts once: not again when it is edited.
    assert_eq!(journal.created_since(NOW).await.unwrap().count, 1);
    journal
        .enqueue(&message("plan/1", "three"), later(6_000))
        .await
        .unwrap();
    let edit = older.next_message().await.unwrap();
    assert_eq!(edit.1, "three");
    let pending = journal
        .next_message(later(9_000), RateTier::EditsOnly)
        .await
        .unwrap();
    journal
        .mark_sent(&pending.unwrap(), edited(), later(9_000), NOW)
        .await
        .unwrap();
    assert_eq!(journal.created_since(NOW).await.unwrap().count, 0);
    assert_eq!(older.next_message().await, None);
}

/// Every kind of payload: neither version sees a change where the other one enqueued the same payload.
async fn payloads(it: &Store, older: &mut Older) {
    let late = later(9_000);
    for (place, (row, payload)) in rows::outbox_1().into_iter().enumerate() {
        let key = format!("older/{place}");
        older.enqueue_kind(&key, &row.kind, &row.body).await;
        let pending = it.one.next_message(late, RateTier::All).await.unwrap();
        let pending = pending.unwrap();
        assert_eq!(
            (&pending.key, &pending.payload),
            (&key, &Ok(payload.clone()))
        );
        it.one
            .mark_sent(&pending, created(1), late, late)
            .await
            .unwrap();
        let mut same = OutboxMessage {
            payload,
            ..message(&key, "")
        };
        it.one.enqueue(&same, late).await.unwrap();
        assert_eq!(older.next_message().await, None, "{key} is unchanged");

        same.key = format!("newer/{place}");
        it.one.enqueue(&same, NOW).await.unwrap();
        let read = older.next_message().await.unwrap();
        assert_eq!(read, (same.key.clone(), row.body.clone()));
        older.mark_sent((&read.0, &read.1), late.0).await;
        older.enqueue_kind(&same.key, &row.kind, &row.body).await;
        let next = it.one.next_message(late, RateTier::All).await.unwrap();
        assert_eq!(next, None, "{} is unchanged", same.key);
    }
}

async fn pulls(it: &Store, older: &mut Older) {
    let long = "x".repeat(5_000);
    sqlx::query(PUT_PULL)
        .bind("o/r")
        .bind(1_i64)
        .bind("s")
        .bind(None::<i64>)
        .bind("applied")
        .bind(&long)
        .execute(&mut older.0)
        .await
        .unwrap();
    // A row without a time begins to age when it is first read.
    let idle = async |before, now| {
        let found = it.one.idle_pulls(&["applied"], before, now).await;
        found.unwrap().len()
    };
    assert_eq!(idle(later(50), later(100)).await, 0);
    assert_eq!(idle(later(100), later(200)).await, 0);
    assert_eq!(idle(later(101), later(200)).await, 1);
}
