package embedded

// Times are microseconds since 1970. What a worker holds is written down, since others
// may look at the same moment.
const schema = `
	CREATE TABLE IF NOT EXISTS jobqueue (
		name    TEXT PRIMARY KEY,
		failed  TEXT NOT NULL,    -- its failed queue; '': none
		tries   INTEGER NOT NULL, -- receives after which a job moves there
		touched INTEGER NOT NULL  -- when it last had anything in it
	) WITHOUT ROWID;
	CREATE TABLE IF NOT EXISTS job (
		seq      INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of sends
		queue    TEXT NOT NULL,
		id       TEXT NOT NULL,
		body     BLOB NOT NULL,
		attrs    TEXT,              -- a JSON object, or NULL
		grp      TEXT NOT NULL,     -- of a FIFO queue
		visible  INTEGER NOT NULL,  -- hidden until then, by a delay or a lease
		receives INTEGER NOT NULL,
		receipt  TEXT NOT NULL      -- of the last receive
	);
	CREATE INDEX IF NOT EXISTS job_visible ON job (queue, visible, seq);
	CREATE INDEX IF NOT EXISTS job_received ON job (queue, visible) WHERE receives > 0;
	CREATE INDEX IF NOT EXISTS job_group ON job (queue, grp, seq);
	CREATE TABLE IF NOT EXISTS jobdedup (
		queue TEXT NOT NULL,
		dedup TEXT NOT NULL,
		id    TEXT NOT NULL,       -- of the job that was sent first
		until INTEGER NOT NULL,
		PRIMARY KEY (queue, dedup)
	) WITHOUT ROWID`

const (
	findOne     = `SELECT name FROM jobqueue WHERE name = ?`
	findMany    = `SELECT name FROM jobqueue WHERE substr(name, 1, ?) = ? ORDER BY name`
	makeQueue   = `INSERT INTO jobqueue (name, failed, tries, touched) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO NOTHING`
	touch       = `UPDATE jobqueue SET touched = max(touched, ?) WHERE name = ?`
	readQueue   = `SELECT failed, tries, touched FROM jobqueue WHERE name = ?`
	removeQueue = `DELETE FROM jobqueue WHERE name = ?`
	removeJobs  = `DELETE FROM job WHERE queue = ?`
	removeDedup = `DELETE FROM jobdedup WHERE queue = ?`

	readDedup  = `SELECT id FROM jobdedup WHERE queue = ? AND dedup = ? AND until > ?`
	writeDedup = `INSERT INTO jobdedup (queue, dedup, id, until) VALUES (?, ?, ?, ?)
		ON CONFLICT (queue, dedup) DO UPDATE SET id = excluded.id, until = excluded.until`
	dropDedup = `DELETE FROM jobdedup WHERE until <= ?`
	insertJob = `INSERT INTO job (queue, id, body, attrs, grp, visible, receives, receipt) VALUES (?, ?, ?, ?, ?, ?, 0, '')`

	anyVisible = `SELECT 1 FROM job WHERE queue = ? AND visible <= ? LIMIT 1`
	// A job of a group waits for those before it, also while they are held or hidden.
	firstOfGroup = ` AND NOT EXISTS (SELECT 1 FROM job AS b WHERE b.queue = job.queue AND b.grp = job.grp AND b.seq < job.seq)`
	selectJobs   = `SELECT seq, id, body, attrs, grp, receives FROM job WHERE queue = ? AND visible <= ?`
	inOrder      = ` ORDER BY visible, seq LIMIT ?` // those that nobody has received first, by an index
	holdJob      = `UPDATE job SET visible = ?, receives = receives + 1, receipt = ? WHERE seq = ?`
	// A failed queue counts anew.
	spentJobs = `SELECT seq FROM job WHERE queue = ? AND visible <= ? AND receives > 0 AND receives >= ?`
	moveJob   = `UPDATE job SET queue = ?, receives = 0, receipt = '', visible = 0 WHERE seq = ?`
	deleteJob = `DELETE FROM job WHERE seq = ? AND queue = ? AND receipt = ?`
	extendJob = `UPDATE job SET visible = ? WHERE seq = ? AND queue = ? AND receipt = ? AND visible > ?`
	countJobs = `SELECT coalesce(sum(visible <= ?), 0), coalesce(sum(visible > ? AND receipt <> ''), 0), coalesce(sum(visible > ? AND receipt = ''), 0) FROM job WHERE queue = ?`
	countAll  = `SELECT count(*) FROM job WHERE queue = ?`
)
