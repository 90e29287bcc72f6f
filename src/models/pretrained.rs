//! Pretrained weights: those of this repository, and torchvision's.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hf_hub::progress::{DownloadEvent, ProgressEvent, ProgressHandler};
use hf_hub::{HFClient, HFClientSync, HFError};

use crate::error::{Error, Result};
use crate::interrupt::within;
use crate::models::{Model, ResNet, ResNetParams};
use crate::progress::Bar;

const FILE: &str = "model.safetensors";

/// The residual network for CIFAR-10 whose weights the repository holds: a ResNet-50 with 16 channels
/// in its first convolution, for images (N, 3, 32, 32) in [0, 1]; 92 % of the test images right.
///
/// `cargo run -- train cifar10` trained it; the record lies beside its [`checkpoint`].
///
/// # Errors
/// The file cannot be read.
pub fn cifar10() -> Result<Model<ResNet>> {
    let params = ResNetParams::cifar10(50, 16)?;
    let network = Model::new(0, move |vb| ResNet::new(params.clone(), vb))?;
    network.load(checkpoint("cifar10_resnet50_width16_seed0"))
}

/// The file of the repository that holds the weights of that name:
/// `notebooks/checkpoints/<name>.safetensors`, beside it a record of their training.
pub fn checkpoint(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("notebooks/checkpoints")
        .join(format!("{name}.safetensors"))
}

/// Downloads torchvision's weights of ResNet-`depth`, trained on ImageNet-1k, from the Hugging Face
/// hub, and returns the path of a safetensors file in the hub's cache.
///
/// The repositories are timm's copies (`timm/resnet50.tv_in1k` and so on), with torchvision's
/// names. A file that is already in the cache is used without asking the hub. `HF_ENDPOINT`,
/// `HF_HOME` and `HF_TOKEN` have their usual effect.
///
/// # Errors
/// Another depth than 18, 34, 50, 101 and 152, a hub that cannot be reached, or a cache that cannot
/// be written.
pub fn imagenet(depth: usize) -> Result<PathBuf> {
    bring(HFClient::builder(), depth)
}

fn bring(builder: hf_hub::HFClientBuilder, depth: usize) -> Result<PathBuf> {
    ResNetParams::of_depth(depth)?;
    let name = format!("resnet{depth}.tv_in1k");
    let refused = |error: HFError| {
        let error = std::io::Error::other(format!("{error} (or load the weights of a file)"));
        Error::io(format!("{FILE} of timm/{name} on the Hugging Face hub"))(error)
    };
    let client: HFClientSync = builder.build_sync().map_err(refused)?;
    let model = client.model("timm", &name);
    match model
        .download_file()
        .filename(FILE)
        .local_files_only(true)
        .send()
    {
        // In a thread of its own, which goes on to fill the cache if the user stops waiting.
        Err(HFError::LocalEntryNotFound { .. }) => {
            let bar = Downloaded(Bar::new(name.as_str()));
            let download = move || model.download_file().filename(FILE).progress(bar).send();
            within("the Hugging Face hub", Duration::MAX, download)?.map_err(refused)
        }
        cached => cached.map_err(refused),
    }
}

/// A bar that counts the bytes of a download of one file.
struct Downloaded(Bar);

impl ProgressHandler for Downloaded {
    fn on_progress(&self, event: &ProgressEvent) {
        let ProgressEvent::Download(event) = event else {
            return;
        };
        match event {
            DownloadEvent::Start { total_bytes, .. } => self.0.begin_bytes(*total_bytes),
            DownloadEvent::Progress { files } => {
                self.0
                    .set(files.iter().map(|file| file.bytes_completed as f64).sum());
            }
            DownloadEvent::AggregateProgress {
                bytes_completed, ..
            } => self.0.set(*bytes_completed as f64),
            DownloadEvent::Complete => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;

    use candle_core::{DType, Device};

    use super::*;
    use crate::models::{Parameters, ResNet, Weights};
    use crate::rng::Rng;

    /// A hub that holds one file, under the path that it prints.
    fn hub(file: Vec<u8>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap())
                    .lines()
                    .map_while(|line| line.ok());
                let request = lines.next().unwrap_or_default();
                lines.find(String::is_empty);
                let (status, body) = match request
                    .contains("/timm/resnet18.tv_in1k/resolve/main/model.safetensors")
                {
                    true => ("200 OK", file.as_slice()),
                    false => ("404 Not Found", [].as_slice()),
                };
                let commit = "0123456789abcdef0123456789abcdef01234567";
                let (etag, length) = ("\"abc\"", body.len());
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nETag: {etag}\r\nX-Repo-Commit: {commit}\r\n\
                     Connection: close\r\n\r\n"
                );
                stream.write_all(head.as_bytes()).unwrap();
                if request.starts_with("GET") {
                    stream.write_all(body).unwrap();
                }
            }
        });
        address
    }

    /// In a process of its own, which asks no proxy for this machine.
    #[test]
    fn weights_come_from_a_hub_and_then_from_its_cache() {
        const CHILD: &str = "ISOPATH_TEST_CHILD";
        if std::env::var_os(CHILD).is_some() {
            return bring_from_a_hub_and_from_its_cache();
        }
        let name = "models::pretrained::tests::weights_come_from_a_hub_and_then_from_its_cache";
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", name, "--nocapture"]).env(CHILD, "1");
        for no_proxy in ["NO_PROXY", "no_proxy"] {
            child.env(no_proxy, "127.0.0.1");
        }
        let output = child.output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}"
        );
    }

    fn bring_from_a_hub_and_from_its_cache() {
        let folder = tempfile::tempdir().unwrap();
        let build = |seed, classes| {
            let parameters = Parameters::new();
            let params = ResNetParams {
                width: 2,
                classes,
                ..ResNetParams::of_depth(18).unwrap()
            };
            let builder = parameters.builder(&Rng::new(seed), DType::F32, &Device::Cpu);
            (ResNet::new(params, builder).unwrap(), parameters)
        };
        let (_, theirs) = build(1, 1000);
        theirs.save(folder.path().join("theirs")).unwrap();
        let address = hub(std::fs::read(folder.path().join("theirs")).unwrap());
        let builder = |endpoint: &str| {
            let patience = HFClient::builder()
                .retry_max_attempts(1)
                .retry_base_delay(Duration::from_millis(1));
            patience
                .endpoint(endpoint)
                .cache_dir(folder.path().join("cache"))
        };
        let missing = bring(builder(&address), 34).unwrap_err().to_string();
        assert!(
            missing.contains("model.safetensors of timm/resnet34.tv_in1k on the Hugging Face hub"),
            "{missing}"
        );
        let brought = bring(builder(&address), 18).unwrap();
        let nobody = "http://127.0.0.1:1";
        assert_eq!(bring(builder(nobody), 18).unwrap(), brought);
        assert!(bring(builder(nobody), 50).is_err());
        assert_eq!(
            bring(builder(nobody), 20).unwrap_err().to_string(),
            "depth is 20; expected 18, 34, 50, 101 or 152"
        );

        // A network with other classes takes all but the last layer.
        let (_, ours) = build(2, 10);
        let before = ours.named();
        let of = |all: &Parameters, name: &str| {
            all.named()[name]
                .flatten_all()
                .unwrap()
                .to_vec1::<f32>()
                .unwrap()
        };
        let fc = of(&ours, "fc.weight");
        let weights = Weights::read(&brought).unwrap();
        ours.set_weights_except(&weights, "fc.").unwrap();
        assert_eq!(of(&ours, "fc.weight"), fc);
        for name in before.keys().filter(|name| !name.starts_with("fc.")) {
            assert_eq!(of(&ours, name), of(&theirs, name), "{name}");
        }
        assert!(ours.set_weights(&weights).is_err());
    }
}
