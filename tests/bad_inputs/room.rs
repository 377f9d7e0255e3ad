//! A folder with good inputs of every kind, the program called in it, and what is asked of every refusal.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    io::Read,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// No refusal may take longer, on a busy machine either.
const PATIENCE: Duration = Duration::from_secs(60);

/// Of so many cases one is tried. Where libtorch is linked in, the program takes half a second to start, and a refusal
/// needs none of it: `make test` tries all cases without, and these few with it.
const SAMPLE: usize = if cfg!(feature = "torch") { 6 } else { 1 };

/// Seventeen workers on a quadratic, eight of them attacking; takes milliseconds and needs no libtorch.
pub const GOOD: &str = r#"
name = "good"
seed = 3
rounds = 6

[task]
objective = { least-squares = { dim = 30 } }

[aggregator]
rule = ["ctma", "cwmed"]
step = { anytime-sgd = { lr = 0.01 } }

[[workers]]
count = 9
estimator = "storm"

[[attackers]]
count = 8
attack = "ipm"
"#;

/// A folder in which the program is called.
pub struct Room {
    folder: tempfile::TempDir,
    complaints: RefCell<Vec<String>>,
    cases: Cell<usize>,
    sample: usize,
}

/// How a call ended.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Room {
    /// With `good.toml`, `sweep.toml` and `good.npy`.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (complaints, cases) = (RefCell::default(), Cell::default());
        let room = Self { folder, complaints, cases, sample: SAMPLE };
        room.put("good.toml", GOOD);
        room.put("sweep.toml", "base = \"good.toml\"\nname = \"swept\"\n[sweep]\nseed = [1, 2]\n");
        room.put("good.npy", matrix("<f4", "(5, 1)", &[0; 20]));
        room
    }

    /// Also with the folders of two runs, `a` and `b`.
    pub fn with_runs() -> Self {
        let room = Self::new();
        for (out, seed) in [("a", "seed=1"), ("b", "seed=2")] {
            let done = room.call(&["run", "good.toml", "-q", "--out", out, "--set", seed]);
            assert!(done.status.success(), "{}", done.stderr);
            let run = room.path(done.stdout.trim());
            let place = room.path(&format!("run-{out}"));
            fs::rename(run, place).unwrap();
            fs::remove_dir_all(room.path(out)).unwrap();
            fs::rename(room.path(&format!("run-{out}")), room.path(out)).unwrap();
        }
        room
    }

    /// A room in which every case is tried: for what is refused by libtorch's half of the program.
    #[cfg(feature = "torch")]
    pub fn thorough() -> Self {
        let mut room = Self::new();
        room.sample = 1;
        room
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and the folders on the way to it.
    pub fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// The program with `arguments`, in this folder, as it stands in an empty environment.
    pub fn command(&self, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_phalanx"));
        command.args(arguments).current_dir(self.folder.path());
        command.env_clear().env("HOME", self.path("home")).env("RUST_BACKTRACE", "1");
        let kept = ["LD_LIBRARY_PATH", "PATH", "CUDA_VISIBLE_DEVICES"];
        command.envs(kept.iter().filter_map(|&name| Some((name, std::env::var_os(name)?))));
        command
    }

    pub fn call(&self, arguments: &[&str]) -> Ended {
        end(&mut self.command(arguments))
    }

    /// Calls the program, which must refuse with status 2.
    pub fn refuses(&self, arguments: &[&str], parts: &[&str]) {
        self.fails(2, &mut self.command(arguments), parts);
    }

    /// Runs `command`, which must end with `status` and one message that contains all `parts`. What is wrong is told
    /// when the room is left, so that one wrong case does not hide the others.
    pub fn fails(&self, status: i32, command: &mut Command, parts: &[&str]) {
        let case = self.cases.replace(self.cases.get() + 1);
        if !case.is_multiple_of(self.sample) {
            return;
        }
        let before = listing(self.folder.path());
        let done = end(command);
        let complaint = complaint(status, &done, parts)
            .or_else(|| (listing(self.folder.path()) != before).then(|| "files were left behind".to_owned()));
        if let Some(complaint) = complaint {
            let words: Vec<_> = command.get_args().map(|word| word.display().to_string()).collect();
            let (words, said) = (words.join(" "), &done.stderr);
            let start = |text: &str| text.chars().take(500).collect::<String>();
            self.complaints.borrow_mut().push(format!("{}: {complaint}: {}", start(&words), start(said)));
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        println!("{} calls that must be refused, one in {} tried", self.cases.get(), self.sample);
        let complaints = self.complaints.borrow();
        if !std::thread::panicking() && !complaints.is_empty() {
            panic!("{} cases went wrong:\n{}", complaints.len(), complaints.join("\n"));
        }
    }
}

/// What is wrong with a refusal.
fn complaint(status: i32, done: &Ended, parts: &[&str]) -> Option<String> {
    let said = &done.stderr;
    let errors = said.lines().filter(|line| line.starts_with("error: ")).count();
    let words = ["panicked", "RUST_BACKTRACE", "stack backtrace", "unwrap"];
    let missing = parts.iter().find(|part| !said.contains(**part)).map(|part| format!("no {part:?}"));
    let code = done.status.code();
    missing
        .or_else(|| (code != Some(status)).then(|| format!("status {code:?}, not {status}")))
        .or_else(|| (!done.stdout.is_empty()).then(|| format!("a refusal has a result, {}", done.stdout)))
        .or_else(|| (errors != 1).then(|| format!("{errors} messages")))
        .or_else(|| (said.len() > 5000).then(|| format!("{} bytes were said", said.len())))
        .or_else(|| words.iter().find(|word| said.contains(**word)).map(|word| format!("{word} was said")))
}

/// Waits, but not for ever; a call that takes too long is ended and is a failure.
pub fn end(command: &mut Command) -> Ended {
    let began = Instant::now();
    let piped = command.stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = piped.stdout(Stdio::piped()).spawn().unwrap();
    let (stdout, stderr) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if began.elapsed() > PATIENCE => give_up(&mut child, command),
            None => std::thread::sleep(Duration::from_millis(3)),
        }
    };
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    assert!(status.signal().is_none(), "{command:?}: {status}: {stderr}");
    Ended { status, stdout, stderr }
}

fn give_up(child: &mut Child, command: &Command) -> ! {
    let _ = child.kill();
    panic!("{command:?} takes longer than {PATIENCE:?}");
}

fn reader(stream: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.into_iter().for_each(|mut stream| drop(stream.read_to_end(&mut bytes)));
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Every file and folder below `folder`, with the length of each.
fn listing(folder: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            found.extend(listing(&path));
        }
        let length = fs::symlink_metadata(&path).map_or(0, |data| data.len());
        found.insert(path, length);
    }
    found
}

/// A `.npy` file.
pub fn matrix(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let size = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &size[..], header.as_bytes(), data].concat()
}

/// Skips a test with a line that says why.
pub fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}
