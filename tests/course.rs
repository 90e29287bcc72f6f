//! The course: assignments whose wrong solutions get the points that they should, and a class that
//! nbgrader grades from the start to the marks. The tests in `tests/course` are Python's.
//!
//! They need the Jupyter environment and the kernel that `cargo run -- setup` makes.

#[path = "common/pytest.rs"]
mod pytest;

/// Whether to run everything, not only what fits into a few minutes: ISOPATH_COURSE=all.
fn is_everything() -> bool {
    std::env::var("ISOPATH_COURSE").is_ok_and(|wanted| wanted == "all")
}

// One test, since each part takes all processors.
#[test]
fn solutions_get_the_points_that_they_should_and_a_class_its_marks() {
    let mut arguments = vec!["solutions.py", "--jobs", "2"];
    arguments.extend((!is_everything()).then_some("--quick"));
    let said = pytest::python("course", &arguments);
    assert!(said.matches("wrong solutions,").count() >= 6, "{said}");
    // Whether a sandbox was there to be tried.
    println!("{}", pytest::pytest("course"));
}
