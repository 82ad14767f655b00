//! The demo: a pull request that re-addresses three planes, run from the first push to the final proof over HTTP, with the
//! real service as a process of its own.
//!
//! It prints the conversation and then every invariant that it checked. It knows the reference site by name; nothing that
//! it runs against does.

mod conversation;
mod environment;
mod guide;
mod invariants;
mod people;
mod process;
pub mod site;

use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};

use conversation::print_line;
use environment::DemoEnvironment;
use guide::guide;
use invariants::Invariants;

/// Opens the pull request.
const AUTHOR: &str = "alice";
/// Merges, orders and completes the gates.
const OPERATOR: &str = "bob";
/// May comment and is no operator.
const STRANGER: &str = "mallory";

/// Runs the demo with `program` as the service. True when every invariant held.
pub async fn run(program: &Path, out: &mut (dyn Write + Send)) -> anyhow::Result<bool> {
    let mut environment = DemoEnvironment::open(program).await?;
    let mut invariants = Invariants::default();
    environment.print_addresses(out)?;
    let outcome = Box::pin(run_steps(&mut environment, &mut invariants, out)).await;
    if let Err(error) = &outcome {
        writeln!(
            out,
            "\nthe demo failed: {error:#}\n\n{}",
            environment.service.log()
        )?;
    }
    invariants.print(out)?;
    environment.close();
    Ok(outcome.is_ok() && invariants.all_held())
}

/// Opens the same environment and leaves it running until Ctrl-C or SIGTERM; prints addresses and requests to try.
pub async fn leave_running(program: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let environment = DemoEnvironment::open(program).await?;
    out.write_all(guide(&environment).as_bytes())?;
    out.flush()?;
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = term.recv() => {}
        ended = tokio::signal::ctrl_c() => ended?,
    }
    environment.close();
    Ok(())
}

async fn run_steps(
    environment: &mut DemoEnvironment,
    invariants: &mut Invariants,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let digest = propose(environment, invariants, out).await?;
    try_to_apply_too_early(environment, invariants, out, &digest).await?;
    merge_and_order(environment, invariants, out, &digest).await?;
    tear_down(environment, invariants, out).await?;
    kill_and_resume(environment, invariants, out).await?;
    move_the_jumphost(environment, invariants, out).await?;
    invariants::at_the_end(environment, invariants).await
}

/// The pull request and its plan.
async fn propose(
    environment: &mut DemoEnvironment,
    invariants: &mut Invariants,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<String> {
    environment.propose(AUTHOR)?;
    print_line(
        out,
        AUTHOR,
        &format!("opens #{}: {}", environment.number, people::TITLE),
    )?;
    let plan = environment
        .wait_for_comment(out, "the plan", |body| body.contains("### 🟡 Plan for"))
        .await?;
    let digest = plan
        .lines()
        .find_map(|line| line.strip_prefix("/apply "))
        .context("the plan comment names no digest")?
        .to_owned();
    invariants.check(
        "the plan was rehearsed, and again with the power cut after every operation",
        plan.contains("no drift; and again with a power cut"),
    );
    invariants.check(
        "the plan stops at the teardown and the jumphost",
        plan.contains("gate: teardown") && plan.contains("gate: jumphost"),
    );
    invariants.check(
        "three planes drift in a chain",
        plan.matches("**DRIFT**").count() == 3,
    );
    invariants.check(
        "the head has a successful check `planebot/plan`",
        environment
            .has_check(&environment.head(), "planebot/plan", "success")
            .await,
    );
    invariants.check("planning wrote nothing to MAAS", environment.writes() == 0);
    Ok(digest)
}

/// `/apply` from someone who is no operator, and from an operator before the merge.
async fn try_to_apply_too_early(
    environment: &mut DemoEnvironment,
    invariants: &mut Invariants,
    out: &mut (dyn Write + Send),
    digest: &str,
) -> anyhow::Result<()> {
    let comment = environment.comment(out, STRANGER, &format!("/apply {digest}"))?;
    let answer = environment
        .wait_for_comment(out, "the stranger's refusal", |body| {
            body.contains("✋ Not applied") && body.contains("✖ operator")
        })
        .await?;
    invariants.check(
        "a stranger's /apply is refused, and the gate that failed is named",
        answer.contains("not on the roster"),
    );
    invariants.check(
        "the stranger's comment is marked",
        environment.has_reaction(comment, "confused").await,
    );
    environment.comment(out, OPERATOR, &format!("/apply {digest}"))?;
    environment
        .wait_for_comment(out, "the refusal before the merge", |body| {
            body.contains("✖ merged")
        })
        .await?;
    invariants.check("an operator's /apply before the merge is refused", true);
    invariants.check(
        "nothing was written to MAAS before the merge",
        environment.writes() == 0,
    );
    Ok(())
}

/// The merge, the order and the first gate.
async fn merge_and_order(
    environment: &mut DemoEnvironment,
    invariants: &mut Invariants,
    out: &mut (dyn Write + Send),
    digest: &str,
) -> anyhow::Result<()> {
    environment.merge(OPERATOR)?;
    print_line(
        out,
        OPERATOR,
        &format!(
            "merges #{} as {}",
            environment.number,
            environment
                .merge_commit
                .chars()
                .take(10)
                .collect::<String>()
        ),
    )?;
    environment
        .wait_for_comment(out, "the plan after the merge", |body| {
            body.contains("this is merged")
        })
        .await?;
    invariants.check(
        "the merge commit has a pending check `planebot/apply`",
        environment
            .has_check(&environment.merge_commit, "planebot/apply", "in_progress")
            .await,
    );
    environment.comment(out, OPERATOR, &format!("/apply {digest}"))?;
    let gate = environment
        .wait_for_comment(out, "the teardown gate", |body| {
            body.contains("Gate `teardown`: a person is needed")
        })
        .await?;
    invariants.check(
        "the runbook is linked at the merged commit, with this plan's values",
        gate.contains(&environment.merge_commit) && gate.contains("openstack0"),
    );
    invariants.check(
        "nothing was written to MAAS at the gate",
        environment.writes() == 0,
    );
    Ok(())
}

/// The first gate while the released machines still have their static links: it stays shut.
async fn tear_down(
    environment: &mut DemoEnvironment,
    invariants: &mut Invariants,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    environment.destroy_juju_model()?;
    environment.release_machines();
    print_line(
        out,
        OPERATOR,
        "destroys the Juju model and releases the machines; their STATIC links stay",
    )?;
    environment.comment(out, OPERATOR, "/done teardown")?;
    let answer = environment
        .wait_for_comment(out, "the list of remaining links", |body| {
            body.contains("Gate `teardown` stays shut")
        })
        .await?;
    invariants.check(
        "`/done teardown` is refused with the list while links are left",
        answer.contains("still has a link on"),
    );
    invariants.check(
        "nothing was written to MAAS while links were left",
        environment.writes() == 0,
    );
    let links = environment.remove_links();
    print_line(
        out,
        OPERATOR,
        &format!("removes the {links} links on the networks that go"),
    )?;
    Ok(())
}

/// The service is killed in the middle of the deletes and resumes the run.
async fn kill_and_resume(
    environment: &mut DemoEnvironment,
    invariants: &mut Invariants,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    const DELETE: usize = 4;
    environment.service.kill_at_delete(DELETE);
    environment.comment(out, OPERATOR, "/done teardown")?;
    environment
        .wait_for("the service is dead", |environment| {
            environment.service.is_killed()
        })
        .await?;
    print_line(
        out,
        "-",
        &format!(
            "the service is killed hard at delete {DELETE}: MAAS has done it, and nobody heard the answer"
        ),
    )?;
    invariants.check(
        "the service was killed in the middle of the deletes",
        environment.deletes() == DELETE,
    );
    environment.start_service().await?;
    print_line(out, "-", "the service is started again on the same journal")?;
    environment
        .wait_for_comment(out, "the jumphost gate", |body| {
            body.contains("Gate `jumphost`: a person is needed")
        })
        .await?;
    invariants.check("it resumed by itself, up to the jumphost", true);
    Ok(())
}

/// The gate at the jumphost, the move of its bridges, and the end.
async fn move_the_jumphost(
    environment: &mut DemoEnvironment,
    invariants: &mut Invariants,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let gate = environment
        .last_bot_comment("Gate `jumphost`: a person is needed")
        .unwrap_or_default();
    let position = |what: &str| gate.find(what);
    let (a, b, c) = (
        position("virbr2: 10.12.8.1/22 -> 10.12.12.1/22"),
        position("virbr7: confirm 10.12.60.1/22"),
        position("virbr1.104: add 10.12.8.1/22"),
    );
    invariants.check(
        "the jumphost moves (a) virbr2, (b) virbr7, (c) virbr1.104",
        a.is_some() && a < b && b < c,
    );
    environment.comment(out, OPERATOR, "/done jumphost")?;
    environment
        .wait_for_comment(out, "the refusal at the jumphost", |body| {
            body.contains("Gate `jumphost` stays shut")
        })
        .await?;
    invariants.check(
        "`/done jumphost` is refused while the bridges have not moved",
        true,
    );
    environment.move_bridges()?;
    print_line(out, OPERATOR, "moves the bridges, in that order")?;
    environment.comment(out, OPERATOR, "/done jumphost")?;
    let done = environment
        .wait_for_comment(out, "the end", |body| body.contains("### ✅ Applied"))
        .await?;
    invariants.check(
        "the result was proved: after the stand-up, at the end, and after the settle time",
        (1..=3).all(|round| done.contains(&format!("proof {round}: ")))
            && done.matches("**no changes**").count() == 3,
    );
    ensure!(!done.contains("🛑"), "the run stopped");
    if done.is_empty() {
        bail!("the last comment is empty");
    }
    Ok(())
}
