// Holds a desktop open until its standard input ends, as each person's session does.
//
// wine starts explorer.exe for the first program that asks for the desktop, with that program's standard streams: if
// that is nobg's worker (onnxruntime asks for the desktop), explorer.exe keeps the worker's log open, and nobg waits for
// the log's end.
#include <windows.h>
#include <stdio.h>

int main(void) {
    char byte;
    GetDesktopWindow();
    puts("ready");
    fflush(stdout);
    while (fread(&byte, 1, 1, stdin)) {}
    return 0;
}
