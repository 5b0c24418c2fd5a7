; The bundler takes one program for the app and leaves out another one of the
; package's name: the command line, which belongs beside it.
!macro NSIS_HOOK_POSTINSTALL
  !searchreplace COMMANDLINE "${MAINBINARYSRCPATH}" "pilotlight-desktop.exe" "pilotlight.exe"
  SetOutPath $INSTDIR
  File "${COMMANDLINE}"
!macroend

!macro NSIS_HOOK_PREUNINSTALL
  Delete "$INSTDIR\pilotlight.exe"
!macroend
