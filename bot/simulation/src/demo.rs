//! The reference story, played to its end: a pull request that re-addresses three planes, from the first push to the
//! proof, over HTTP, with the real service as a process of its own.
//!
//! It prints the conversation and, at the end, every promise that it looked at. It knows the reference site by name,
//! and nothing that it plays against does.

mod invariants;
pub mod site;
mod world;

use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};

use invariants::Invariants;
pub use world::World;
use world::tell;

/// The operator, the author and a stranger.
const AUTHOR: &str = "alice";
const OPERATOR: &str = "bob";
const STRANGER: &str = "mallory";

/// Plays the story with that program as the service. The answer says whether every promise held.
pub async fn play(program: &Path, out: &mut (dyn Write + Send)) -> anyhow::Result<bool> {
    let mut world = World::open(program).await?;
    let mut promises = Invariants::default();
    world.places(out)?;
    let outcome = Box::pin(acts(&mut world, &mut promises, out)).await;
    if let Err(error) = &outcome {
        writeln!(
            out,
            "\nthe story broke off: {error:#}\n\n{}",
            world.service_log()
        )?;
    }
    promises.print(out)?;
    world.close();
    Ok(outcome.is_ok() && promises.held())
}

/// Opens the same world and leaves it running until Ctrl-C; prints where to look and what to type.
pub async fn leave_running(program: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let world = World::open(program).await?;
    out.write_all(world.guide().as_bytes())?;
    out.flush()?;
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = term.recv() => {}
        ended = tokio::signal::ctrl_c() => ended?,
    }
    world.close();
    Ok(())
}

async fn acts(
    world: &mut World,
    promises: &mut Invariants,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let digest = proposed(world, promises, out).await?;
    refused(world, promises, out, &digest).await?;
    merged_and_ordered(world, promises, out, &digest).await?;
    torn_down(world, promises, out).await?;
    killed_and_resumed(world, promises, out).await?;
    moved_the_jumphost(world, promises, out).await?;
    invariants::at_the_end(world, promises).await
}

/// The pull request, and its plan.
async fn proposed(
    world: &mut World,
    promises: &mut Invariants,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<String> {
    world.propose(AUTHOR)?;
    tell(
        out,
        AUTHOR,
        &format!("opens #{}: {}", world.number, world::TITLE),
    )?;
    let plan = world
        .bot_says(out, "the plan", |body| body.contains("### 🟡 Plan for"))
        .await?;
    let digest = plan
        .lines()
        .find_map(|line| line.strip_prefix("/apply "))
        .context("the plan comment names no digest")?
        .to_owned();
    promises.look(
        "the plan was rehearsed, and again with the power cut after every operation",
        plan.contains("to zero drift; and again with the power cut"),
    );
    promises.look(
        "the plan stops at the teardown and the jumphost",
        plan.contains("gate: teardown") && plan.contains("gate: jumphost"),
    );
    promises.look(
        "three planes drift in a chain",
        plan.matches("**DRIFT**").count() == 3,
    );
    promises.look(
        "the head has a successful check `planebot/plan`",
        world
            .check_is(&world.head(), "planebot/plan", "success")
            .await,
    );
    promises.look("planning wrote nothing to MAAS", world.writes() == 0);
    Ok(digest)
}

/// A stranger, and an operator who is too early.
async fn refused(
    world: &mut World,
    promises: &mut Invariants,
    out: &mut (dyn Write + Send),
    digest: &str,
) -> anyhow::Result<()> {
    let comment = world.comment(out, STRANGER, &format!("/apply {digest}"))?;
    let answer = world
        .bot_says(out, "the stranger's refusal", |body| {
            body.contains("✋ Not applied") && body.contains("✖ operator")
        })
        .await?;
    promises.look(
        "a stranger's /apply is refused, and the gate that failed is named",
        answer.contains("not on the roster"),
    );
    promises.look(
        "the stranger's comment is marked",
        world.reacted(comment, "confused").await,
    );
    world.comment(out, OPERATOR, &format!("/apply {digest}"))?;
    world
        .bot_says(out, "the refusal before the merge", |body| {
            body.contains("✖ merged")
        })
        .await?;
    promises.look("an operator's /apply before the merge is refused", true);
    promises.look(
        "nothing was written to MAAS before the merge",
        world.writes() == 0,
    );
    Ok(())
}

/// The merge, the order, the first gate.
async fn merged_and_ordered(
    world: &mut World,
    promises: &mut Invariants,
    out: &mut (dyn Write + Send),
    digest: &str,
) -> anyhow::Result<()> {
    world.merge(OPERATOR)?;
    tell(
        out,
        OPERATOR,
        &format!(
            "merges #{} as {}",
            world.number,
            world.merge_commit().chars().take(10).collect::<String>()
        ),
    )?;
    world
        .bot_says(out, "the plan after the merge", |body| {
            body.contains("this is merged")
        })
        .await?;
    promises.look(
        "the merge commit has a pending check `planebot/apply`",
        world
            .check_is(&world.merge_commit(), "planebot/apply", "in_progress")
            .await,
    );
    world.comment(out, OPERATOR, &format!("/apply {digest}"))?;
    let gate = world
        .bot_says(out, "the teardown gate", |body| {
            body.contains("Gate `teardown`: a person is needed")
        })
        .await?;
    promises.look(
        "the runbook is linked at the merged commit, with this plan's values",
        gate.contains(&world.merge_commit()) && gate.contains("openstack0"),
    );
    promises.look(
        "nothing was written to MAAS at the gate",
        world.writes() == 0,
    );
    Ok(())
}

/// Machines are released, and their static links are not.
async fn torn_down(
    world: &mut World,
    promises: &mut Invariants,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    world.destroy_juju_model()?;
    world.release_machines();
    tell(
        out,
        OPERATOR,
        "destroys the Juju model and releases the machines; their STATIC links stay",
    )?;
    world.comment(out, OPERATOR, "/done teardown")?;
    let answer = world
        .bot_says(out, "the list of what is still there", |body| {
            body.contains("Gate `teardown` stays shut")
        })
        .await?;
    promises.look(
        "`/done teardown` is refused with the list while links are left",
        answer.contains("still has a link on"),
    );
    promises.look(
        "nothing was written to MAAS while links were left",
        world.writes() == 0,
    );
    let links = world.remove_links();
    tell(
        out,
        OPERATOR,
        &format!("removes the {links} links on the networks that go"),
    )?;
    Ok(())
}

/// The power goes in the middle of the deletes.
async fn killed_and_resumed(
    world: &mut World,
    promises: &mut Invariants,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    const DELETE: usize = 4;
    world.kill_the_service_at_delete(DELETE);
    world.comment(out, OPERATOR, "/done teardown")?;
    world
        .until("the service is dead", world::World::is_killed)
        .await?;
    tell(
        out,
        "-",
        &format!(
            "the service is killed hard at delete {DELETE}: MAAS has done it, and nobody heard the answer"
        ),
    )?;
    promises.look(
        "the service was killed in the middle of the deletes",
        world.deletes() == DELETE,
    );
    world.start_service().await?;
    tell(out, "-", "the service is started again on the same journal")?;
    world
        .bot_says(out, "the jumphost gate", |body| {
            body.contains("Gate `jumphost`: a person is needed")
        })
        .await?;
    promises.look("it went on by itself, up to the jumphost", true);
    Ok(())
}

/// The bridges move, in order.
async fn moved_the_jumphost(
    world: &mut World,
    promises: &mut Invariants,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let gate = world
        .last_bot_comment("Gate `jumphost`: a person is needed")
        .unwrap_or_default();
    let place = |what: &str| gate.find(what);
    let (a, b, c) = (
        place("virbr2: 10.12.8.1/22 -> 10.12.12.1/22"),
        place("virbr7: confirm 10.12.60.1/22"),
        place("virbr1.104: add 10.12.8.1/22"),
    );
    promises.look(
        "the jumphost moves (a) virbr2, (b) virbr7, (c) virbr1.104",
        a.is_some() && a < b && b < c,
    );
    world.comment(out, OPERATOR, "/done jumphost")?;
    world
        .bot_says(out, "the refusal at the jumphost", |body| {
            body.contains("Gate `jumphost` stays shut")
        })
        .await?;
    promises.look(
        "`/done jumphost` is refused while the bridges have not moved",
        true,
    );
    world.move_bridges()?;
    tell(out, OPERATOR, "moves the bridges, in that order")?;
    world.comment(out, OPERATOR, "/done jumphost")?;
    let done = world
        .bot_says(out, "the end", |body| body.contains("### ✅ Applied"))
        .await?;
    promises.look(
        "it was proved: after the stand-up, at the end, and after the settle time",
        (1..=3).all(|round| done.contains(&format!("proof {round}: ")))
            && done.matches("**no changes**").count() == 3,
    );
    ensure!(!done.contains("🛑"), "the run stopped");
    if done.is_empty() {
        bail!("no end");
    }
    Ok(())
}
