//! The lab's MAAS over HTTP.

use lab::maas::{LabMaas, serve};

use super::replay::project;

#[tokio::test]
async fn a_served_maas_answers_over_http() -> Result<(), Box<dyn std::error::Error>> {
    let scenario = std::fs::read_to_string(project().join("recordings/scenario.json"))?;
    let serving = serve(LabMaas::load(&scenario, Some("3.7.3"))?, None).await?;
    let client = reqwest::Client::new();
    let version = client
        .get(format!("{}/api/2.0/version/", serving.url))
        .send()
        .await?;
    assert_eq!(version.status(), 200);
    let version_info: serde_json::Value = version.json().await?;
    assert_eq!(version_info["version"], "3.7.3");
    let closed = client
        .get(format!("{}/api/2.0/subnets/", serving.url))
        .send()
        .await?;
    assert_eq!(closed.status(), 401);
    assert_eq!(closed.text().await?, "Forbidden");
    Ok(())
}
