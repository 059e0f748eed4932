// State in the heap, in timers, in a worker thread and in a child process; answers as answers.py does.
const crypto = require('crypto'), net = require('net'), cp = require('child_process');
const { Worker } = require('worker_threads');

const token = crypto.randomBytes(8).toString('hex');
const sessions = new Map();
for (let i = 0; i < 50000; i++) sessions.set(`user${i}`, { id: i, name: `name ${i}` });
let ticks = 0, fromWorker = 0, fromChild = 0;
setInterval(() => ticks++, 10);
const worker = new Worker(
  `const { parentPort } = require('worker_threads'); let n = 0; setInterval(() => parentPort.postMessage(++n), 20);`,
  { eval: true });
worker.on('message', (n) => { fromWorker = n === fromWorker + 1 ? n : NaN; });
const child = cp.spawn('sh', ['-c', 'n=0; while sleep 0.05; do n=$((n+1)); echo $n; done']);
child.stdout.on('data', (d) => { fromChild = Number(String(d).trim().split('\n').pop()); });

net.createServer((socket) => {
  socket.on('error', () => {});
  socket.on('data', () => {
    const probe = Math.floor(Math.random() * 50000);
    const fine = sessions.size === 50000 && sessions.get(`user${probe}`).id === probe && !Number.isNaN(fromWorker);
    const ended = child.exitCode !== null || child.killed;
    socket.write(`${token} ${ticks + fromWorker + fromChild} ${!fine ? 'its heap changed' : ended ? 'child ended' : 'ok'}\n`);
  });
}).listen(9000, '0.0.0.0');
