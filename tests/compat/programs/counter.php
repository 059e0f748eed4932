<?php
// Counts in a session; answers as answers.py does.
session_id('compat');
session_start();
$_SESSION['token'] ??= bin2hex(random_bytes(8));
$_SESSION['count'] = ($_SESSION['count'] ?? 0) + 1;
session_write_close();
echo "{$_SESSION['token']} {$_SESSION['count']} ok\n";
