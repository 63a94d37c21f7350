// SIGHUP asks for a reload. Until somebody listens for that, it would end the process.
process.on('SIGHUP', () => {});
