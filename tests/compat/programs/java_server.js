// For Rhino: JavaScript that drives Java's own classes, so that the whole JVM (collector, compiler threads) is real.
var token = java.util.UUID.randomUUID().toString(), count = 0;
var table = new java.util.concurrent.ConcurrentHashMap();
for (var i = 0; i < 20000; i++) table.put('key' + i, 'value' + i);
var ticks = new java.util.concurrent.atomic.AtomicLong();
var pool = java.util.concurrent.Executors.newScheduledThreadPool(4);
pool.scheduleAtFixedRate(new java.lang.Runnable({ run: function () { ticks.incrementAndGet(); } }), 10, 10,
  java.util.concurrent.TimeUnit.MILLISECONDS);
var server = new java.net.ServerSocket(9000);
function answer(socket) {
  var reader = new java.io.BufferedReader(new java.io.InputStreamReader(socket.getInputStream()));
  var writer = socket.getOutputStream();
  while (reader.readLine() !== null) {
    count++;
    var one = Math.floor(Math.random() * 20000);
    var state = String(table.get('key' + one)) === 'value' + one ? 'ok' : 'its table changed';
    writer.write(new java.lang.String(token + ' ' + (count + ticks.get()) + ' ' + state + '\n').getBytes());
    writer.flush();
  }
}
while (true) {
  (function (socket) {
    new java.lang.Thread(new java.lang.Runnable({ run: function () { answer(socket); } })).start();
  })(server.accept());
}
