//! Serves the lab's MAAS: `maas --maas FILE --maas-version V --state F.json`.

use std::path::PathBuf;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut file = PathBuf::new();
    let mut state = PathBuf::new();
    let mut version = None;
    let mut words = std::env::args().skip(1);
    while let (Some(flag), Some(value)) = (words.next(), words.next()) {
        match flag.as_str() {
            "--maas" => file = PathBuf::from(value),
            "--state" => state = PathBuf::from(value),
            "--maas-version" => version = Some(value),
            other => return Err(format!("unknown flag `{other}`").into()),
        }
    }
    let layout = std::fs::read_to_string(&file)?;
    lab::maas::serve_until_signal(&layout, version.as_deref(), &state).await
}
